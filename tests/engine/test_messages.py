"""What comes for an instance reaches it once: it, and no other holder of its ID."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.scripted import (
    ScriptedExecutor,
    begin,
    call,
    closes,
    complete,
    inputs_of,
    open_scripted,
    renew,
    wait_until_started,
)
from engine.test_eviction import held
from flowyard import App, Runtime, WorkflowContext, WorkflowStatus
from flowyard.backend.history import EventRaised, EventSent

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime, Query


@pytest.mark.parametrize("cached_instances", ["0", "1000"])
async def test_an_event_whose_turn_takes_long_is_delivered_once(
    database: Path, query: Query, cached_instances: str
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor, cachedInstances=cached_instances) as runtime:
        (await begin(runtime, executor, "it")).decide()
        await wait_until_started(runtime, "it")
        for number in range(3):
            await runtime.raise_event("it", "pay", number)  # answered while its turn is out
            turn = await executor.turn("it")
            assert query("SELECT count(*) FROM messages") == [(1,)]
            turn.decide()
            while query("SELECT count(*) FROM messages") != [(0,)]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert inputs_of(await runtime.history("it"), EventRaised) == ["0", "1", "2"]
    async with open_scripted(database, executor) as runtime:
        await runtime.raise_event("it", "pay", 3)
        turn = await executor.turn("it")
        assert inputs_of(turn.turn.past, EventRaised) == ["0", "1", "2"]
        assert inputs_of(turn.turn.new, EventRaised) == ["3"]


async def test_more_events_than_are_remembered_at_once_are_delivered_once(
    open_runtime: OpenRuntime,
) -> None:
    app = App()

    @app.workflow
    async def idle(ctx: WorkflowContext) -> None:
        await ctx.wait_for_external_event("never")

    count = 12_000
    async with (
        open_runtime(app, synchronous="off") as runtime,
        open_runtime(synchronous="off") as visitor,
    ):
        await runtime.start(idle, instance_id="it")
        for first in range(0, count, 1_000):
            raising = (visitor.raise_event("it", "pay", n) for n in range(first, first + 1_000))
            await asyncio.gather(*raising)
        while True:
            history = await runtime.history("it")
            raised = inputs_of(history, EventRaised)
            if len(raised) >= count:
                break
            await asyncio.sleep(0.1)
    assert sorted(int(text or "") for text in raised) == list(range(count))


async def test_a_start_and_a_termination_that_no_worker_has_seen_are_both_kept(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        for number in range(10):
            await asyncio.gather(
                runtime.start("any", "new", instance_id=f"it-{number}"),
                terminate_when_known(runtime, f"it-{number}"),
            )
            state = await runtime.get(f"it-{number}")
            assert (state.status, state.input) == (WorkflowStatus.TERMINATED, '"new"')


async def terminate_when_known(runtime: Runtime, instance_id: str) -> None:
    """Terminate an instance as soon as the engine has heard of it, before it is written."""
    await asyncio.sleep(0)
    await runtime.terminate(instance_id)


async def test_a_termination_right_after_a_start_over_a_closed_instance_ends_the_new_one(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "it")).decide(complete('"old"'))
        await closes(runtime, "it")
        await asyncio.gather(
            runtime.start("any", "new", instance_id="it"), terminate_when_known(runtime, "it")
        )
        state = await runtime.get("it")
        assert (state.status, state.input, state.output) == (
            WorkflowStatus.TERMINATED,
            '"new"',
            None,
        )


async def test_an_event_that_comes_while_a_turn_stalls_is_taken_up_after_the_first(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "it")).decide()
        await wait_until_started(runtime, "it")
        await runtime.raise_event("it", "pay", "first")
        turn = await executor.turn("it")
        with held(database):
            turn.stall()
            raising = asyncio.create_task(runtime.raise_event("it", "pay", "second"))
            await asyncio.sleep(0)
        assert await raising
        assert (await runtime.get("it")).status is WorkflowStatus.STALLED
        executor.on_more()
        again = await executor.turn("it")
        assert inputs_of(again.turn.new, EventRaised) == ['"first"', '"second"']
        again.decide(complete())
        await closes(runtime, "it")


async def test_what_came_while_stalled_outlives_the_process(database: Path) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "it")).stall()
        while (await runtime.get("it")).status is not WorkflowStatus.STALLED:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await runtime.raise_event("it", "pay", 1)
        assert await runtime.pause("it") is True
        assert await runtime.pause("it") is False
        assert await runtime.resume("it") is True
    restarted = ScriptedExecutor()
    async with open_scripted(database, restarted) as runtime:
        assert (await restarted.turn("it")).new == [
            "ExecutionStarted",
            "EventRaised",
            "ExecutionSuspended",
            "ExecutionResumed",
        ]


async def test_a_late_result_of_an_earlier_execution_is_not_taken_for_one_of_the_next(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        turn = await begin(runtime, executor, "it")
        turn.decide(call(1), EventSent(2, "it", "note", None))
        late = await executor.activity()
        turn = await executor.turn("it")  # the event, while the activity still runs
        turn.decide(renew())
        second = await executor.turn("it")
        second.decide(call(1))
        current = await executor.activity()
        await runtime.raise_event("it", "go")
        out = await executor.turn("it")
        late.returns('"of the first execution"')
        while ("it", 1) not in executor.acknowledged:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        out.stall()
        while (await runtime.get("it")).status is not WorkflowStatus.STALLED:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not current.answer.done()
    restarted = ScriptedExecutor()
    async with open_scripted(database, restarted) as runtime:
        turn = await restarted.turn("it")
        assert "TaskCompleted" not in turn.new
        assert (await restarted.activity()).task.execution_id == turn.turn.execution_id


async def test_a_result_is_acknowledged_while_the_next_turn_is_out_and_then_kept(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "it")).decide(call(1))
        activity = await executor.activity()
        await runtime.raise_event("it", "go")
        await executor.turn("it")  # and no worker answers it
        activity.returns('"kept"')
        async with asyncio.timeout(30):
            await executor.acknowledgement.wait()
        assert executor.acknowledged == [("it", 1)]
    restarted = ScriptedExecutor()
    async with open_scripted(database, restarted) as runtime:
        turn = await restarted.turn("it")
        assert turn.new == ["EventRaised", "TaskCompleted"]
        assert restarted.activities.empty()
