"""Turns of hosted workflows: they run on the event loop, for as long as they take."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import uuid4

import pytest

from flowyard import ActivityContext, App, Runtime, WorkflowContext, WorkflowStatus
from flowyard.backend.executor import Turn, TurnResult
from flowyard.backend.history import (
    ChildCreated,
    ContinuedAsNew,
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    TimerCreated,
)
from flowyard.backend.timestamps import NEVER
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.failure import FailureDetails
from temporal.waiting import until

# Temporal's SDK lets go of code that takes longer than two seconds.
LONG = 2.5
PATIENCE = timedelta(seconds=30)
app = App()
turns: list[str] = []


@app.activity
async def step(_: ActivityContext) -> str:
    return "done"


@app.workflow
async def deliberate(ctx: WorkflowContext) -> str:
    await ctx.call_activity(step)
    time.sleep(LONG)  # noqa: ASYNC251 - as code that computes does
    turns.append(ctx.instance_id)
    return await ctx.call_activity(step)


async def test_a_turn_that_takes_long_is_carried_out_once(temporal_server: str) -> None:
    metadata = {"hostPort": temporal_server, "taskQueue": "deliberate"}
    spec = ComponentSpec(name="orders", type="workflow.temporal", metadata=metadata)
    async with Runtime.open([spec], app) as runtime:
        state = await runtime.wait(await runtime.start(deliberate, instance_id="deliberate"))
    assert state.result(str) == "done"
    assert turns == ["deliberate"]


@pytest.fixture
def spec(temporal_server: str) -> ComponentSpec:
    metadata = {"hostPort": temporal_server, "taskQueue": uuid4().hex}
    return ComponentSpec(name="orders", type="workflow.temporal", metadata=metadata)


@pytest.mark.parametrize("ends", [True, False], ids=["completes", "continues as new"])
async def test_a_turn_of_a_worker_that_ends_an_execution_runs_once_whatever_comes_meanwhile(
    spec: ComponentSpec, ends: bool
) -> None:
    executors = RemoteExecutors()
    done = TurnResult([ExecutionCompleted(WorkflowStatus.COMPLETED, '"done"')])
    async with Runtime.open([spec], executor=executors.make) as runtime:
        instance_id = await runtime.start("anything")
        with executors.queue("orders").stream() as worker:
            delivery = await worker.take()
            # Temporal refuses to end a workflow that has not seen this.
            await runtime.raise_event(instance_id, "late", 1)
            again = TurnResult([TimerCreated(1, NEVER), ContinuedAsNew('"again"')])
            delivery.conclude(done if ends else again)
            if not ends:
                following = await worker.take()
                turn = following.work.request
                assert isinstance(turn, Turn)
                (started,) = [event for event in turn.new if isinstance(event, ExecutionStarted)]
                assert started.input == '"again"'
                assert EventRaised("late", "1") in turn.new
                following.conclude(done)
            state = await runtime.wait(instance_id, timeout=PATIENCE)
        assert state.result() == "done"


COMPLETION = ExecutionCompleted(WorkflowStatus.COMPLETED, '"done"')
FAILURE = ExecutionCompleted(WorkflowStatus.FAILED, failure=FailureDetails("Error", "late"))
RENEWAL = ContinuedAsNew('"again"')


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ((COMPLETION, RENEWAL), WorkflowStatus.COMPLETED),
        ((COMPLETION, FAILURE), WorkflowStatus.COMPLETED),
        ((FAILURE, COMPLETION), WorkflowStatus.FAILED),
    ],
    ids=["completed, then renewed", "completed, then failed", "failed, then completed"],
)
async def test_the_first_end_of_an_answer_counts(
    spec: ComponentSpec,
    ends: tuple[ExecutionCompleted | ContinuedAsNew, ...],
    status: WorkflowStatus,
) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([spec], executor=executors.make) as runtime:
        instance_id = await runtime.start("anything")
        with executors.queue("orders").stream() as worker:
            (await worker.take()).conclude(TurnResult(ends))
            state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert state.status is status


async def test_a_continuation_that_comes_first_counts(spec: ComponentSpec) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([spec], executor=executors.make) as runtime:
        instance_id = await runtime.start("anything")
        with executors.queue("orders").stream() as worker:
            (await worker.take()).conclude(TurnResult((RENEWAL, COMPLETION)))
            (await worker.take()).conclude(TurnResult([FAILURE]))
            state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert (state.status, state.input) == (WorkflowStatus.FAILED, '"again"')


async def test_a_turn_whose_worker_has_left_says_that_it_waits_for_another(
    spec: ComponentSpec,
) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([spec], executor=executors.make) as runtime:
        instance_id = await runtime.start("anything")
        with executors.queue("orders").stream() as worker:
            await worker.take()
        await until(
            lambda: runtime.get(instance_id),
            lambda state: "waits for a worker" in (state.detail or ""),
        )
        with executors.queue("orders").stream() as worker:
            (await worker.take()).conclude(TurnResult([COMPLETION]))
            assert (await runtime.wait(instance_id, timeout=PATIENCE)).result() == "done"


async def test_what_a_last_turn_starts_is_started_once_whatever_comes_meanwhile(
    spec: ComponentSpec, caplog: pytest.LogCaptureFixture
) -> None:
    executors = RemoteExecutors()
    aside = uuid4().hex
    async with Runtime.open([spec], executor=executors.make) as runtime:
        instance_id = await runtime.start("launcher")
        with executors.queue("orders").stream() as worker:
            delivery = await worker.take()
            await runtime.raise_event(instance_id, "late", 1)
            start = ChildCreated(1, "aside", aside, None, detached=True)
            delivery.conclude(TurnResult([start, COMPLETION]))
            (await worker.take()).conclude(TurnResult([COMPLETION]))
            await runtime.wait(instance_id, timeout=PATIENCE)
            await runtime.wait(aside, timeout=PATIENCE)
        history = await runtime.history(aside)
        (started,) = [event for event in history if isinstance(event, ExecutionStarted)]
        assert started.parent is None
    assert "was not started" not in caplog.text


async def test_of_two_detached_workflows_with_one_id_the_first_one_is_started(
    spec: ComponentSpec, caplog: pytest.LogCaptureFixture
) -> None:
    executors = RemoteExecutors()
    aside = uuid4().hex
    async with Runtime.open([spec], executor=executors.make) as runtime:
        instance_id = await runtime.start("launcher")
        with executors.queue("orders").stream() as worker:
            starts = [
                ChildCreated(number, "aside", aside, str(number), detached=True)
                for number in (1, 2)
            ]
            (await worker.take()).conclude(TurnResult([*starts, COMPLETION]))
            (await worker.take()).conclude(TurnResult([COMPLETION]))
            await runtime.wait(instance_id, timeout=PATIENCE)
            assert (await runtime.wait(aside, timeout=PATIENCE)).input == "1"
        history = await runtime.history(instance_id)
        assert [event for event in history if isinstance(event, ChildCreated)] == starts
    assert caplog.text.count("was not started") == 1


async def test_a_worker_that_does_not_answer_keeps_no_process_from_ending(
    spec: ComponentSpec,
) -> None:
    executors = RemoteExecutors()
    async with asyncio.timeout(PATIENCE.total_seconds()):
        async with AsyncExitStack() as stack:
            runtime = await stack.enter_async_context(Runtime.open([spec], executor=executors.make))
            instance_id = await runtime.start("anything")
            with executors.queue("orders").stream() as worker:
                await worker.take()
                await stack.aclose()
        async with Runtime.open([spec], executor=executors.make) as runtime:
            with executors.queue("orders").stream() as worker:
                (await worker.take()).conclude(TurnResult([COMPLETION]))
                assert (await runtime.wait(instance_id)).result() == "done"
