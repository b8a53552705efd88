"""Code that does not fit its history stalls; nothing is lost, and fitting code goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flowyard import ActivityContext, App, WorkflowContext, WorkflowStatus, when_all
from flowyard.backend.history import ChildCompleted
from flowyard.testing import open_kit

if TYPE_CHECKING:
    from workflow.conftest import Rehearsal, Rehearse

Code = Callable[[WorkflowContext], Awaitable[object]]


def app_of(code: Code, name: str = "order") -> App:
    app = App()
    app.workflow(name=name)(code)
    return app


async def original(ctx: WorkflowContext) -> list[Any]:
    paid = await ctx.call_activity("pay")
    await ctx.create_timer(timedelta(hours=1))
    part = await ctx.call_child_workflow("pack")
    ctx.send_event("warehouse", "packed")
    news = await ctx.wait_for_external_event("news", timeout=timedelta(days=1))
    shipped = await ctx.call_activity("ship")
    return [paid, part, news, shipped]


def played(rehearsal: Rehearsal, steps: int) -> Rehearsal:
    """Play the original up to a step."""
    moves: list[Callable[[], object]] = [
        lambda: rehearsal.start("order"),
        lambda: rehearsal.complete(1, "paid"),
        lambda: rehearsal.fire(2),
        lambda: rehearsal.turn(ChildCompleted(3, '"packed"')),
        lambda: rehearsal.raise_event("news", "good"),
    ]
    for move in moves[:steps]:
        move()
    return rehearsal


async def other_activity(ctx: WorkflowContext) -> object:
    return await ctx.call_activity("charge")


async def timer_for_activity(ctx: WorkflowContext) -> object:
    await ctx.create_timer(timedelta(hours=1))
    return None


async def child_for_activity(ctx: WorkflowContext) -> object:
    return await ctx.call_child_workflow("pay")


async def event_for_activity(ctx: WorkflowContext) -> object:
    return await ctx.wait_for_external_event("paid")


async def returns_at_once(ctx: WorkflowContext) -> object:
    return "done"


async def fails_at_once(ctx: WorkflowContext) -> object:
    raise ValueError("no pay today")


async def continues_at_once(ctx: WorkflowContext) -> object:
    ctx.continue_as_new(None)
    return None


async def activity_too_many(ctx: WorkflowContext) -> object:
    return await when_all([ctx.call_activity("pay"), ctx.call_activity("ship")])


async def returns_after_pay(ctx: WorkflowContext) -> object:
    return await ctx.call_activity("pay")


async def activity_for_timer(ctx: WorkflowContext) -> object:
    await ctx.call_activity("pay")
    return await ctx.call_activity("ship")


async def event_timeout_for_timer(ctx: WorkflowContext) -> object:
    await ctx.call_activity("pay")
    return await ctx.wait_for_external_event("x", timeout=timedelta(hours=1))


async def other_child(ctx: WorkflowContext) -> object:
    await ctx.call_activity("pay")
    await ctx.create_timer(timedelta(hours=1))
    return await ctx.call_child_workflow("wrap")


async def other_event_sent(ctx: WorkflowContext) -> object:
    await ctx.call_activity("pay")
    await ctx.create_timer(timedelta(hours=1))
    await ctx.call_child_workflow("pack")
    ctx.send_event("warehouse", "wrapped")
    return await ctx.wait_for_external_event("news", timeout=timedelta(days=1))


async def other_event_awaited(ctx: WorkflowContext) -> object:
    await ctx.call_activity("pay")
    await ctx.create_timer(timedelta(hours=1))
    await ctx.call_child_workflow("pack")
    ctx.send_event("warehouse", "packed")
    return await ctx.wait_for_external_event("rumours", timeout=timedelta(days=1))


async def without_the_timeout(ctx: WorkflowContext) -> object:
    await ctx.call_activity("pay")
    await ctx.create_timer(timedelta(hours=1))
    await ctx.call_child_workflow("pack")
    ctx.send_event("warehouse", "packed")
    return await ctx.wait_for_external_event("news")


@pytest.mark.parametrize(
    ("steps", "code", "history_says", "code_did"),
    [
        (1, other_activity, "called activity 'pay' (#1)", "called activity 'charge' (#1)"),
        (1, timer_for_activity, "called activity 'pay' (#1)", "created a timer (#1)"),
        (1, child_for_activity, "called activity 'pay' (#1)", "called child workflow 'pay' (#1)"),
        (1, event_for_activity, "called activity 'pay' (#1)", "asked for nothing there"),
        (1, returns_at_once, "called activity 'pay' (#1)", "returned there"),
        (1, fails_at_once, "called activity 'pay' (#1)", "failed there with ValueError: no pay"),
        (1, continues_at_once, "called activity 'pay' (#1)", "continued as new there"),
        (1, activity_too_many, "ends", "called activity 'ship' (#2)"),
        (2, activity_too_many, "goes on to the next turn", "called activity 'ship' (#2)"),
        (2, returns_after_pay, "created a timer (#2)", "returned there"),
        (2, activity_for_timer, "created a timer (#2)", "called activity 'ship' (#2)"),
        (2, event_timeout_for_timer, "created a timer (#2)", "waited for event 'x' with a timeout"),
        (3, other_child, "called child workflow 'pack' (#3)", "called child workflow 'wrap' (#3)"),
        (
            4,
            other_event_sent,
            "sent event 'packed' to 'warehouse' (#4)",
            "sent event 'wrapped' to 'warehouse' (#4)",
        ),
        (4, other_event_awaited, "event 'news'", "event 'rumours'"),
        (4, without_the_timeout, "event 'news'", "asked for nothing there"),
    ],
)
def test_a_mismatch_stalls_with_what_history_says_beside_what_the_code_did(
    rehearse: Rehearse, steps: int, code: Code, history_says: str, code_did: str
) -> None:
    rehearsal = played(rehearse(app_of(original)), steps)
    before = list(rehearsal.journal.history)
    changed = rehearsal.with_code(app_of(code))
    changed.raise_event("anything")
    assert changed.stalled is not None
    assert changed.stalled.error_type == "NonDeterminismError"
    history, but, code_text = changed.stalled.message.partition(", but the code ")
    assert but
    assert history_says in history
    assert code_did in code_text
    assert "'order'" in history
    assert changed.journal.history == before


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_fitting_code_goes_on_where_other_code_had_stalled(rehearse: Rehearse, steps: int) -> None:
    rehearsal = played(rehearse(app_of(original)), steps)
    stalled = rehearsal.with_code(app_of(returns_at_once))
    stalled.raise_event("anything")
    assert stalled.stalled is not None
    back = stalled.with_code(app_of(original))
    back.raise_event("anything")
    assert back.stalled is None
    assert back.journal.status is WorkflowStatus.RUNNING


def test_a_renamed_workflow_stalls_with_the_nearest_names(rehearse: Rehearse) -> None:
    rehearsal = played(rehearse(app_of(original)), 1)
    renamed = rehearsal.with_code(app_of(original, name="orders"))
    renamed.complete(1, "paid")
    assert renamed.stalled is not None
    assert renamed.stalled.message == (
        "the history is of workflow 'order', which is not registered. Did you mean 'orders'?"
    )


def test_code_whose_payloads_differ_still_fits(rehearse: Rehearse) -> None:
    async def first(ctx: WorkflowContext) -> object:
        await ctx.call_activity("pay", input=1)
        await ctx.create_timer(timedelta(hours=1))
        return "done"

    async def second(ctx: WorkflowContext) -> object:
        await ctx.call_activity("pay", input={"amount": 1})
        await ctx.create_timer(timedelta(hours=2))
        return "done"

    rehearsal = rehearse(app_of(first))
    rehearsal.start("order")
    rehearsal.complete(1)
    changed = rehearsal.with_code(app_of(second))
    changed.fire(2)
    assert changed.output == '"done"'


def test_an_event_may_change_the_case_of_its_name(rehearse: Rehearse) -> None:
    async def first(ctx: WorkflowContext) -> object:
        return await ctx.wait_for_external_event("News", timeout=timedelta(days=1))

    async def second(ctx: WorkflowContext) -> object:
        return await ctx.wait_for_external_event("news", timeout=timedelta(days=1))

    rehearsal = rehearse(app_of(first))
    rehearsal.start("order")
    changed = rehearsal.with_code(app_of(second))
    changed.raise_event("NEWS", "good")
    assert changed.output == '"good"'


async def test_a_stalled_instance_keeps_its_events_and_finishes_with_fitting_code(
    tmp_path: Path,
) -> None:
    async def first(ctx: WorkflowContext) -> object:
        paid = await ctx.call_activity("pay")
        return [paid, await ctx.wait_for_external_event("news")]

    async def second(ctx: WorkflowContext) -> object:
        return await ctx.call_activity("charge")

    payments: list[str] = []

    def with_pay(code: Code) -> App:
        app = app_of(code)

        @app.activity
        def pay(ctx: ActivityContext) -> str:
            payments.append(ctx.task_execution_id)
            return "paid"

        return app

    file = tmp_path / "stalled.db"
    async with open_kit(with_pay(first), file) as kit:
        instance_id = await kit.runtime.start("order")
        await kit.settle()
    async with open_kit(with_pay(second), file) as kit:
        assert await kit.runtime.raise_event(instance_id, "news", "good")
        state = await kit.runtime.get(instance_id)
        assert state.status is WorkflowStatus.STALLED
        assert "called activity 'pay' (#1), but the code called activity 'charge'" in (
            state.detail or ""
        )
        assert await kit.runtime.raise_event(instance_id, "news", "more")
    async with open_kit(with_pay(first), file) as kit:
        state = await kit.wait(instance_id)
        assert state.result() == ["paid", "good"]
        assert state.detail is None
    assert len(payments) == 1
