"""External events: who gets them, when they time out, and that none is lost."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from flowyard import App, PayloadError, Task, WorkflowContext, when_all
from flowyard.backend.history import EventSent, ExecutionResumed, ExecutionSuspended, TimerCreated
from flowyard.backend.timestamps import NEVER

if TYPE_CHECKING:
    from workflow.conftest import Rehearse

NOON = datetime(2030, 6, 1, 12)


class Approval(BaseModel):
    by: str
    approved: bool = True


def test_an_event_is_given_to_who_waits_for_it_whatever_its_case(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        approval = await ctx.wait_for_external_event("Approval", data_type=Approval)
        return approval.by

    rehearsal = rehearse(app)
    assert rehearsal.start("patient") == []
    rehearsal.raise_event("other", {"by": "nobody"})
    rehearsal.raise_event("aPPROVAL", {"by": "Ann"})
    assert rehearsal.output == '"Ann"'


def test_an_event_that_comes_early_is_kept(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    def patient(ctx: WorkflowContext) -> Generator[Task[Any], Any, list[Any]]:
        yield ctx.call_activity("step")
        first = yield ctx.wait_for_external_event("go")
        second = yield ctx.wait_for_external_event("GO")
        return [first, second]

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.raise_event("Go", 1)
    rehearsal.raise_event("gO", 2)
    rehearsal.complete(1)
    assert rehearsal.output == "[1,2]"


def test_an_event_may_come_without_data(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> bool:
        return await ctx.wait_for_external_event("go") is None

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.raise_event("go")
    assert rehearsal.output == "true"


def test_two_waits_for_one_name_get_an_event_each_in_their_order(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> list[int]:
        return await when_all([ctx.wait_for_external_event("go") for _ in range(3)])

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.turn(rehearsal.raised("go", 1), rehearsal.raised("go", 2))
    rehearsal.raise_event("go", 3)
    assert rehearsal.output == "[1,2,3]"


def test_an_event_that_does_not_come_in_time_raises_timeout_error(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        try:
            await ctx.wait_for_external_event("approval", timeout=timedelta(days=3))
        except TimeoutError as error:
            return str(error)
        return "came"

    rehearsal = rehearse(app)
    (timer,) = rehearsal.start("patient")
    assert isinstance(timer, TimerCreated)
    assert (timer.origin, timer.name) == ("event", "approval")
    assert rehearsal.delays([timer]) == [timedelta(days=3)]
    rehearsal.fire(1)
    assert rehearsal.output == "\"event 'approval' did not arrive in time\""


def test_a_timeout_that_fires_after_the_event_changes_nothing(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        data = await ctx.wait_for_external_event("approval", timeout=timedelta(days=3))
        await ctx.call_activity("step")
        return str(data)

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.raise_event("approval", "yes")
    rehearsal.fire(1)
    rehearsal.complete(2)
    assert rehearsal.output == '"yes"'


def test_the_event_and_its_timeout_in_one_turn_leave_the_first(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        try:
            return str(await ctx.wait_for_external_event("go", timeout=timedelta(days=1)))
        except TimeoutError:
            return f"late, then {await ctx.wait_for_external_event('go')}"

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    (fired,) = rehearsal.journal.due_timers(NEVER)
    rehearsal.turn(fired, rehearsal.raised("go", "came"))
    assert rehearsal.output == '"late, then came"'


def test_an_event_after_a_timeout_is_kept_for_the_next_wait(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> int:
        try:
            await ctx.wait_for_external_event("go", timeout=timedelta(days=1))
        except TimeoutError:
            await ctx.call_activity("remind")
        return int(await ctx.wait_for_external_event("go"))

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(1)
    rehearsal.raise_event("go", 5)
    rehearsal.complete(2)
    assert rehearsal.output == "5"


@pytest.mark.parametrize("timeout", [timedelta(0), NOON, NOON.replace(tzinfo=UTC), NOON.min])
def test_a_timeout_that_is_over_takes_only_what_is_there(
    rehearse: Rehearse, timeout: timedelta | datetime
) -> None:
    app = App()

    @app.workflow
    async def impatient(ctx: WorkflowContext) -> list[object]:
        await ctx.call_activity("step")
        answers: list[object] = []
        for _ in range(2):
            try:
                answers.append(await ctx.wait_for_external_event("go", timeout=timeout))
            except TimeoutError:
                answers.append("not there")
        return answers

    rehearsal = rehearse(app)
    rehearsal.start("impatient")
    rehearsal.raise_event("go", 1)
    rehearsal.complete(1)
    assert rehearsal.output == '[1,"not there"]'


@pytest.mark.parametrize("timeout", [None, timedelta(seconds=-1), timedelta.min, datetime.max])
def test_no_timeout_or_a_negative_one_waits_for_ever(
    rehearse: Rehearse, timeout: timedelta | datetime | None
) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        return str(await ctx.wait_for_external_event("go", timeout=timeout))

    rehearsal = rehearse(app)
    assert rehearsal.start("patient") == []
    assert rehearsal.turn(after=timedelta(days=36500)) == []
    rehearsal.raise_event("go", "late")
    assert rehearsal.output == '"late"'


@pytest.mark.parametrize("until", [NOON + timedelta(hours=1), NOON.replace(hour=13, tzinfo=UTC)])
def test_a_timeout_may_be_a_time(rehearse: Rehearse, until: datetime) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> None:
        await ctx.wait_for_external_event("go", timeout=until)

    rehearsal = rehearse(app)
    assert rehearsal.delays(rehearsal.start("patient")) == [timedelta(hours=1)]


def test_an_event_that_does_not_fit_fails_the_wait_with_the_field(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        try:
            await ctx.wait_for_external_event("approval", data_type=Approval)
        except PayloadError as error:
            return str(error)
        return "fine"

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.raise_event("approval", {"approved": True})
    assert rehearsal.output == "\"event 'approval' does not fit: by: Field required\""


def test_an_event_while_paused_is_delivered_on_resume(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        return str(await ctx.wait_for_external_event("go"))

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.turn(ExecutionSuspended())
    rehearsal.raise_event("go", "while paused")
    assert not rehearsal.journal.is_closed
    rehearsal.turn(ExecutionResumed())
    assert rehearsal.output == '"while paused"'


def test_a_workflow_sends_events_to_other_instances(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def sender(ctx: WorkflowContext) -> None:
        ctx.send_event("order-8", "hello", data={"from": ctx.instance_id})
        ctx.send_event("order-9", "bare")
        await ctx.call_activity("step")

    rehearsal = rehearse(app)
    sent = rehearsal.start("sender")[:2]
    assert sent == [
        EventSent(1, "order-8", "hello", '{"from":"order-7"}'),
        EventSent(2, "order-9", "bare", None),
    ]
    rehearsal.complete(3)
    assert rehearsal.output == "null"
