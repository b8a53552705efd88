"""What an executor tells a host that the code waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from flowyard import App, WorkflowContext, when_all, when_any
from flowyard.backend.executor import Turn, awaited
from flowyard.backend.history import ExecutionStarted, HistoryEvent, TaskCompleted, TurnStarted
from flowyard.executors.local import LocalExecutor
from flowyard.executors.remote import RemoteExecutor

DAY = timedelta(days=1)


async def one(ctx: WorkflowContext) -> None:
    await ctx.call_activity("step")


async def all_of_three(ctx: WorkflowContext) -> None:
    await when_all([ctx.call_activity("step") for _ in range(3)])


async def first_of_two(ctx: WorkflowContext) -> None:
    await when_any([ctx.call_activity("step"), ctx.call_activity("step")])


async def activity_or_event(ctx: WorkflowContext) -> None:
    await when_any([ctx.call_activity("step"), ctx.wait_for_external_event("go")])


async def event_with_timeout(ctx: WorkflowContext) -> None:
    await ctx.wait_for_external_event("go", timeout=DAY)


async def timer(ctx: WorkflowContext) -> None:
    await ctx.create_timer(DAY)


async def child_beside_an_activity(ctx: WorkflowContext) -> None:
    ctx.call_activity("step")
    await ctx.call_child_workflow("one")


async def side_by_side(ctx: WorkflowContext) -> None:
    async def strand() -> None:
        await ctx.call_activity("step")

    await when_all([strand(), strand()])


async def nothing(ctx: WorkflowContext) -> None:
    """Return."""


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        (one, [1]),
        (all_of_three, [1, 2, 3]),
        (first_of_two, []),
        (activity_or_event, []),
        (event_with_timeout, []),
        (timer, [1]),
        (child_beside_an_activity, [2]),
        (side_by_side, []),
        (nothing, []),
    ],
)
def test_only_what_all_has_to_end_is_told(
    workflow: Callable[[WorkflowContext], Awaitable[None]], expected: list[int]
) -> None:
    app = App()
    app.workflow(name="it")(workflow)
    with LocalExecutor(app) as executor:
        assert list(awaited(executor, "order-1")) == []
        executor.run_turn(begin())
        assert list(awaited(executor, "order-1")) == expected
        assert list(awaited(RemoteExecutor("orders", executor), "order-1")) == expected
        assert list(awaited(RemoteExecutor("orders"), "order-1")) == []


def test_what_has_ended_is_not_waited_for() -> None:
    app = App()
    app.workflow(name="it")(all_of_three)
    with LocalExecutor(app) as executor:
        turn = begin()
        actions = executor.run_turn(turn).actions
        past = [*turn.new, *actions]
        new: list[HistoryEvent] = [TurnStarted(2), TaskCompleted(2, "1")]
        executor.run_turn(Turn("order-1", "first", past, new))
        assert list(awaited(executor, "order-1")) == [1, 3]


def begin() -> Turn:
    return Turn("order-1", "first", [], [TurnStarted(1), ExecutionStarted("it", None, "first")])
