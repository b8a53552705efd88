"""What the context says and does: time, chance, timers, statuses, payloads at the call."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from flowyard import App, InvalidRequest, PayloadError, WorkflowContext
from flowyard.backend.history import TaskScheduled, TimerCreated
from flowyard.backend.timestamps import NEVER, to_microseconds

if TYPE_CHECKING:
    from workflow.conftest import Rehearse

NOON = datetime(2030, 6, 1, 12)


class Order(BaseModel):
    item: str
    quantity: int = 1


def test_time_is_that_of_the_turn_and_naive_utc(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def clock(ctx: WorkflowContext) -> list[datetime]:
        times = [ctx.current_utc_datetime]
        await ctx.create_timer(timedelta(hours=2))
        return [*times, ctx.current_utc_datetime]

    rehearsal = rehearse(app)
    rehearsal.start("clock")
    rehearsal.fire(1)
    assert rehearsal.output == '["2030-06-01T12:00:00","2030-06-01T14:00:00"]'


def test_the_context_knows_its_instance_and_its_workflow(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow(name="known-as")
    async def clock(ctx: WorkflowContext) -> list[str]:
        return [ctx.instance_id, ctx.workflow_name]

    rehearsal = rehearse(app)
    rehearsal.start("known-as")
    assert rehearsal.output == '["order-7","known-as"]'


def test_uuids_and_random_numbers_are_the_same_in_every_replay(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def chance(ctx: WorkflowContext) -> list[object]:
        seen: list[object] = [ctx.new_uuid(), ctx.new_random().random()]
        await ctx.call_activity("step")
        return [*seen, ctx.new_uuid(), ctx.new_random().random()]

    rehearsal = rehearse(app)
    rehearsal.start("chance")
    restarted = rehearsal.with_code(app)
    restarted.complete(1)
    rehearsal.complete(1)
    assert rehearsal.output == restarted.output
    values = json.loads(rehearsal.output or "")
    assert len(set(values)) == 4
    assert uuid.UUID(values[0]).version == 5


def test_replaying_is_true_only_for_what_history_has(rehearse: Rehearse) -> None:
    app = App()
    seen: list[bool] = []

    @app.workflow
    async def watcher(ctx: WorkflowContext) -> None:
        seen.append(ctx.is_replaying)
        await ctx.call_activity("step")
        seen.append(ctx.is_replaying)

    rehearsal = rehearse(app, replays=False)
    rehearsal.start("watcher")
    assert seen == [False]
    rehearsal.with_code(app, replays=False).complete(1)
    assert seen == [False, True, False]


@pytest.mark.parametrize(
    ("fire_at", "delay"),
    [
        (timedelta(seconds=5), timedelta(seconds=5)),
        (timedelta(0), timedelta(0)),
        (timedelta(days=-1), timedelta(0)),
        (timedelta(days=3650), timedelta(days=3650)),
        (NOON + timedelta(minutes=1), timedelta(minutes=1)),
        (datetime(2030, 6, 1, 12, 30, tzinfo=UTC), timedelta(minutes=30)),
        (NOON - timedelta(minutes=1), timedelta(minutes=-1)),
    ],
)
def test_a_timer_takes_a_duration_or_a_time(
    rehearse: Rehearse, fire_at: timedelta | datetime, delay: timedelta
) -> None:
    app = App()

    @app.workflow
    async def sleeper(ctx: WorkflowContext) -> None:
        await ctx.create_timer(fire_at)

    rehearsal = rehearse(app)
    actions = rehearsal.start("sleeper")
    assert rehearsal.delays(actions) == [delay]
    rehearsal.fire(1)
    assert rehearsal.output == "null"


@pytest.mark.parametrize("fire_at", [timedelta.max, datetime.max, datetime.max.replace(tzinfo=UTC)])
def test_a_timer_beyond_the_calendar_is_recorded_and_never_fires(
    rehearse: Rehearse, fire_at: timedelta | datetime
) -> None:
    app = App()

    @app.workflow
    async def sleeper(ctx: WorkflowContext) -> None:
        await ctx.create_timer(fire_at)

    rehearsal = rehearse(app)
    assert rehearsal.start("sleeper") == [TimerCreated(1, NEVER)]
    assert rehearsal.journal.next_timer() is None


def test_timers_fire_in_the_order_of_their_times(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def sleeper(ctx: WorkflowContext) -> list[str]:
        late, early = ctx.create_timer(timedelta(2)), ctx.create_timer(timedelta(1))
        await early
        answers = [f"early, late is {late.is_complete}"]
        await late
        return [*answers, "late"]

    rehearsal = rehearse(app)
    rehearsal.start("sleeper")
    due = rehearsal.journal.due_timers(to_microseconds(NOON + timedelta(3)))
    assert [fired.timer_id for fired in due] == [2, 1]
    rehearsal.turn(*due, after=timedelta(3))
    assert rehearsal.output == '["early, late is False","late"]'


def test_a_custom_status_is_text_or_json_and_can_be_cleared(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def teller(ctx: WorkflowContext) -> None:
        await ctx.call_activity("step")
        ctx.set_custom_status("packing")
        await ctx.call_activity("step")
        ctx.set_custom_status({"done": 2, "of": 3})
        await ctx.call_activity("step")
        ctx.set_custom_status(None)

    rehearsal = rehearse(app)
    rehearsal.start("teller")
    statuses = [rehearsal.custom_status]
    for number in (1, 2, 3):
        rehearsal.complete(number)
        statuses.append(rehearsal.custom_status)
    assert statuses == [None, "packing", '{"done":2,"of":3}', ""]


def test_a_custom_status_that_is_not_json_fails_at_the_call(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def teller(ctx: WorkflowContext) -> None:
        ctx.set_custom_status(object())

    rehearsal = rehearse(app)
    rehearsal.start("teller")
    assert rehearsal.failure.error_type == "PayloadError"
    assert rehearsal.failure.message.startswith("custom status is not JSON")


def test_a_bad_input_fails_at_the_call_with_the_field_that_is_wrong(rehearse: Rehearse) -> None:
    app = App()

    @app.activity
    def reserve(ctx: object, order: Order) -> str:
        return order.item

    @app.workflow
    async def child(ctx: WorkflowContext, order: Order) -> str:
        return order.item

    @app.workflow
    async def caller(ctx: WorkflowContext) -> list[str]:
        ctx_calls: list[Any] = [
            lambda: ctx.call_activity(reserve, input={"quantity": "many"}),
            lambda: ctx.call_activity("reserve", input={"item": 5}),
            lambda: ctx.call_activity(reserve),
            lambda: ctx.call_child_workflow(child, input={}),
            lambda: ctx.call_child_workflow("child", input=[]),
            lambda: ctx.call_child_workflow(child),
        ]
        answers = []
        for call in ctx_calls:
            try:
                call()
            except PayloadError as error:
                answers.append(str(error))
        await ctx.call_activity(reserve, input=Order(item="cup"))
        return answers

    rehearsal = rehearse(app)
    assert rehearsal.start("caller") == [
        TaskScheduled(1, "reserve", '{"item":"cup","quantity":1}', 1)
    ]
    rehearsal.complete(1, "cup")
    assert json.loads(rehearsal.output or "") == [
        (
            "input of activity 'reserve' does not fit: item: Field required; quantity: Input "
            "should be a valid integer, unable to parse string as an integer"
        ),
        "input of activity 'reserve' does not fit: item: Input should be a valid string",
        "input of activity 'reserve' does not fit: value: Input should be an object",
        "input of workflow 'child' does not fit: item: Field required",
        "input of workflow 'child' does not fit: value: Input should be an object",
        "input of workflow 'child' does not fit: value: Input should be an object",
    ]


def test_a_result_has_the_type_that_the_activity_returns(rehearse: Rehearse) -> None:
    app = App()

    @app.activity
    def find(ctx: object) -> Order:
        raise NotImplementedError

    @app.workflow
    async def caller(ctx: WorkflowContext) -> list[str]:
        by_function = await ctx.call_activity(find)
        by_name = await ctx.call_activity("find")
        by_type = await ctx.call_activity("find", result_type=Order)
        return [type(error).__name__ for error in (by_function, by_name, by_type)]

    rehearsal = rehearse(app)
    rehearsal.start("caller")
    for number in (1, 2, 3):
        rehearsal.complete(number, {"item": "cup"})
    assert rehearsal.output == '["Order","dict","Order"]'


def test_a_result_that_does_not_fit_fails_where_it_is_awaited(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def caller(ctx: WorkflowContext) -> str:
        try:
            await ctx.call_activity("find", result_type=Order)
        except PayloadError as error:
            return str(error)
        return "fine"

    rehearsal = rehearse(app)
    rehearsal.start("caller")
    rehearsal.complete(1, {"quantity": 1})
    assert rehearsal.output == "\"result of 'find' does not fit: item: Field required\""


def test_calls_across_apps_are_refused(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def caller(ctx: WorkflowContext) -> list[str]:
        answers = []
        for call in (ctx.call_activity, ctx.call_child_workflow):
            try:
                call("step", app_id="other")
            except InvalidRequest as error:
                answers.append(str(error))
        return answers

    rehearsal = rehearse(app)
    rehearsal.start("caller")
    assert (rehearsal.output or "").count("app_id='other'") == 2


def test_an_invalid_child_id_or_receiver_is_refused_at_the_call(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def caller(ctx: WorkflowContext) -> int:
        refused = 0
        for call in (
            lambda: ctx.call_child_workflow("child", instance_id="a b"),
            lambda: ctx.send_event("ä", "hello"),
        ):
            try:
                call()
            except InvalidRequest:
                refused += 1
        return refused

    rehearsal = rehearse(app)
    rehearsal.start("caller")
    assert rehearsal.output == "2"


@pytest.mark.parametrize(
    "call",
    [
        lambda ctx: ctx.call_activity("cup\udcff"),
        lambda ctx: ctx.call_child_workflow("cup\udcff"),
        lambda ctx: ctx.wait_for_external_event("cup\udcff"),
        lambda ctx: ctx.send_event("order-8", "cup\udcff"),
        lambda ctx: ctx.set_custom_status("cup\udcff"),
        lambda ctx: ctx.is_patched("cup\udcff"),
    ],
)
def test_text_that_cannot_be_stored_is_refused_at_the_call(
    rehearse: Rehearse, call: Callable[[WorkflowContext], object]
) -> None:
    app = App()

    @app.workflow
    async def caller(ctx: WorkflowContext) -> str:
        try:
            call(ctx)
        except InvalidRequest as error:
            return str(error)
        return "fine"

    rehearsal = rehearse(app)
    rehearsal.start("caller")
    assert "is not Unicode text" in (rehearsal.output or "")
