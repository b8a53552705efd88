"""Changing code under running instances: versions by name, and patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flowyard import App, RegistrationError, WorkflowContext
from flowyard.backend.executor import LocalCode, QueuedTurn, Turn
from flowyard.backend.history import (
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    HistoryEvent,
    TaskScheduled,
    TurnStarted,
)
from flowyard.executors.local import LocalExecutor
from flowyard.executors.remote import RemoteExecutor
from flowyard.workflow.execution import Execution

if TYPE_CHECKING:
    from workflow.conftest import Rehearse


def versions(*names: str, latest: str) -> App:
    app = App()
    for name in names:

        @app.versioned_workflow(name="order", version_name=name, is_latest=name == latest)
        async def order(ctx: WorkflowContext, *, _version: str = name) -> list[str]:
            first = await ctx.call_activity(f"pay in {_version}", result_type=str)
            second = await ctx.call_activity(f"ship in {_version}", result_type=str)
            return [first, second]

    return app


def test_a_new_instance_runs_the_latest_version(rehearse: Rehearse) -> None:
    rehearsal = rehearse(versions("v1", "v2", latest="v2"))
    rehearsal.start("order")
    assert rehearsal.activities == ["pay in v2"]


def test_a_running_instance_stays_in_its_version(rehearse: Rehearse) -> None:
    rehearsal = rehearse(versions("v1", latest="v1"))
    rehearsal.start("order")
    newer = rehearsal.with_code(versions("v1", "v2", latest="v2"))
    newer.complete(1, "paid")
    assert newer.stalled is None
    assert newer.activities == ["ship in v1"]


def test_the_version_is_recorded_with_the_first_turn_and_only_there(rehearse: Rehearse) -> None:
    rehearsal = rehearse(versions("v1", latest="v1"))
    rehearsal.start("order")
    rehearsal.complete(1, "paid")
    turns = [event for event in rehearsal.journal.history if isinstance(event, TurnStarted)]
    assert [turn.version for turn in turns] == ["v1", None]


def test_an_instance_started_while_paused_runs_the_version_of_when_it_begins(
    rehearse: Rehearse,
) -> None:
    rehearsal = rehearse(versions("v1", latest="v1"))
    rehearsal.turn(ExecutionSuspended(), ExecutionStarted("order", None, "execution-1"))
    assert rehearsal.activities == []
    newer = rehearsal.with_code(versions("v1", "v2", latest="v2"))
    newer.turn(ExecutionResumed())
    assert newer.activities == ["pay in v2"]
    newest = newer.with_code(versions("v1", "v2", "v3", latest="v3"))
    newest.complete(1, "paid")
    assert newest.activities == ["ship in v2"]


def test_a_missing_version_stalls_the_instance_until_it_is_back(rehearse: Rehearse) -> None:
    rehearsal = rehearse(versions("v1", latest="v1"))
    rehearsal.start("order")
    without = rehearsal.with_code(versions("v2", latest="v2"))
    without.complete(1, "paid")
    assert without.stalled is not None
    assert without.stalled.error_type == "NonDeterminismError"
    assert without.stalled.message == (
        "the history is of version 'v1' of workflow 'order', which is not registered. "
        "Did you mean 'v2'?"
    )
    back = rehearsal.with_code(versions("v1", "v2", latest="v2"))
    back.complete(1, "paid")
    assert back.activities == ["ship in v1"]


def test_two_latest_versions_and_a_version_twice_are_refused() -> None:
    with pytest.raises(RegistrationError, match=r"version 'v1' of workflow 'order' is regist"):
        versions("v1", "v1", latest="v1")
    app = versions("v1", latest="v1")
    with pytest.raises(RegistrationError, match="'order' has two latest versions"):

        @app.versioned_workflow(name="order", version_name="v2", is_latest=True)
        async def order(ctx: WorkflowContext) -> None: ...


def test_the_name_of_a_version_is_that_of_its_function_unless_given(rehearse: Rehearse) -> None:
    app = App()

    @app.versioned_workflow(name="order", is_latest=True)
    async def order_2030(ctx: WorkflowContext) -> None:
        await ctx.call_activity("step")

    rehearsal = rehearse(app)
    rehearsal.start("order")
    first = rehearsal.journal.history[0]
    assert isinstance(first, TurnStarted)
    assert first.version == "order_2030"


def unpatched() -> App:
    app = App()

    @app.workflow
    async def order(ctx: WorkflowContext) -> list[str]:
        await ctx.call_activity("pay")
        await ctx.call_activity("ship")
        return ["old"]

    return app


def patched() -> App:
    app = App()

    @app.workflow
    async def order(ctx: WorkflowContext) -> list[str]:
        if ctx.is_patched("check first"):
            await ctx.call_activity("check")
        await ctx.call_activity("pay")
        await ctx.call_activity("ship")
        return ["new" if ctx.is_patched("check first") else "old"]

    return app


def test_code_behind_a_patch_runs_in_new_instances_and_in_their_replays(
    rehearse: Rehearse,
) -> None:
    rehearsal = rehearse(patched())
    rehearsal.start("order")
    assert rehearsal.activities == ["check"]
    restarted = rehearsal.with_code(patched())
    restarted.complete(1)
    restarted.complete(2)
    restarted.complete(3)
    assert restarted.output == '["new"]'


def test_code_behind_a_patch_does_not_run_where_history_is_older(rehearse: Rehearse) -> None:
    rehearsal = rehearse(unpatched())
    rehearsal.start("order")
    restarted = rehearsal.with_code(patched())
    restarted.complete(1)
    assert restarted.stalled is None
    assert restarted.activities == ["ship"]
    restarted.complete(2)
    assert restarted.output == '["old"]'


def test_a_patch_that_is_reached_first_in_new_ground_is_on(rehearse: Rehearse) -> None:
    rehearsal = rehearse(unpatched())
    rehearsal.start("order")
    app = App()

    @app.workflow
    async def order(ctx: WorkflowContext) -> list[str]:
        await ctx.call_activity("pay")
        if ctx.is_patched("gift"):
            await ctx.call_activity("add a gift")
        await ctx.call_activity("ship")
        return ["end"]

    restarted = rehearsal.with_code(app)
    restarted.complete(1)
    assert restarted.activities == ["add a gift"]
    again = restarted.with_code(app)
    again.complete(2)
    again.complete(3)
    assert again.output == '["end"]'


def test_a_patch_is_recorded_in_the_turn_that_asked_first(rehearse: Rehearse) -> None:
    rehearsal = rehearse(patched())
    rehearsal.start("order")
    for number in (1, 2, 3):
        rehearsal.complete(number)
    turns = [event for event in rehearsal.journal.history if isinstance(event, TurnStarted)]
    assert [turn.patches for turn in turns] == [("check first",), (), (), ()]


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_host_that_repeats_turns_says_whether_a_patch_is_recorded(is_recorded: bool) -> None:
    asked: list[str] = []

    def patched_then(patch: str) -> bool:
        asked.append(patch)
        return is_recorded

    execution = Execution("order-7", patched().registry)
    started: list[HistoryEvent] = [TurnStarted(0), ExecutionStarted("order", None, "e")]
    turn = Turn("order-7", "e", (), started, replaying=True, patched=patched_then)
    result = execution.run(turn)
    (called,) = result.actions
    assert isinstance(called, TaskScheduled)
    assert called.name == ("check" if is_recorded else "pay")
    assert asked == ["check first"]


def test_code_sees_that_its_host_repeats_a_turn() -> None:
    app = App()

    @app.workflow
    def order(ctx: WorkflowContext) -> bool:
        return ctx.is_replaying

    for replaying in (True, False):
        started: list[HistoryEvent] = [TurnStarted(0), ExecutionStarted("order", None, "e")]
        turn = Turn("order-7", "e", (), started, replaying=replaying)
        (completed,) = Execution("order-7", app.registry).run(turn).actions
        assert isinstance(completed, ExecutionCompleted)
        assert completed.output == ("true" if replaying else "false")


def test_an_executor_tells_which_code_of_its_own_runs_a_workflow() -> None:
    app = patched()

    @app.versioned_workflow(name="payment", version_name="v2", is_latest=True)
    def payment(ctx: WorkflowContext) -> None:
        return None

    with LocalExecutor(app) as local:
        executor = RemoteExecutor("orders", local)
        for runner in (local, executor):
            assert runner.local_code("order") == LocalCode(version=None)
            assert runner.local_code("payment") == LocalCode(version="v2")
        assert executor.local_code("elsewhere") is None
        assert RemoteExecutor("orders").local_code("order") is None


async def test_a_queued_turn_tells_whether_a_worker_has_taken_it() -> None:
    executor = RemoteExecutor("orders")
    started: list[HistoryEvent] = [TurnStarted(0), ExecutionStarted("order", None, "e")]
    answer = executor.run_turn(Turn("order-7", "e", (), started))
    assert isinstance(answer, QueuedTurn)
    assert not answer.is_taken
    with executor.queue.stream() as worker:
        await worker.take()
        assert answer.is_taken
    assert not answer.is_taken
