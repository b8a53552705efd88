"""Histories of native workflows, in Flowyard's words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client

from flowyard import Runtime, WorkflowStatus
from flowyard.backend.history import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ContinuedAsNew,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
)
from temporal.conftest import OpenRuntime
from temporal.waiting import until

PATIENCE = timedelta(seconds=60)


@pytest.fixture
async def runtime(open_native: OpenRuntime) -> AsyncIterator[Runtime]:
    """A runtime that manages the native workflows."""
    async with open_native() as runtime:
        yield runtime


@pytest.fixture
async def client(temporal_server: str) -> Client:
    """Somebody else's client."""
    return await Client.connect(temporal_server)


async def test_an_activity_a_timer_a_child_and_a_signal(
    runtime: Runtime, client: Client, native_queue: str
) -> None:
    other = await runtime.start("Waiter")
    handle = await client.start_workflow(
        "Steps", args=[21, other], id=uuid4().hex, task_queue=native_queue
    )
    assert (await runtime.wait(handle.id, timeout=PATIENCE)).result() == 42
    assert (await runtime.wait(other, timeout=PATIENCE)).result() == 42
    whole = await runtime.history(handle.id)
    # How many tasks Temporal makes of it depends on how fast the child is.
    events = [event for event in whole if not isinstance(event, TurnStarted)]
    assert kinds(events) == [
        *(ExecutionStarted, TaskScheduled, TaskCompleted, TimerCreated, TimerFired),
        *(ChildCreated, ChildCompleted, EventSent, ExecutionCompleted),
    ]
    started, called, answered, timer, fired, child, grown, sent, end = events
    assert isinstance(started, ExecutionStarted)
    assert (started.workflow, started.input) == ("Steps", f'[21,"{other}"]')
    assert isinstance(called, TaskScheduled)
    assert (called.name, called.input) == ("double", "21")
    assert answered == TaskCompleted(called.id, "42")
    assert isinstance(timer, TimerCreated)
    assert fired == TimerFired(timer.id, timer.fire_at)
    assert isinstance(child, ChildCreated)
    assert (child.name, child.instance_id, child.input) == ("Echo", f"{handle.id}-child", "42")
    assert grown == ChildCompleted(child.id, "42")
    assert isinstance(sent, EventSent)
    assert (sent.instance_id, sent.name, sent.input) == (other, "go", "42")
    assert end == ExecutionCompleted(WorkflowStatus.COMPLETED, "42")
    assert len({called.id, timer.id, child.id, sent.id}) == 4
    assert kinds(whole[:3]) == [TurnStarted, ExecutionStarted, TaskScheduled]
    times = [event.at for event in whole if isinstance(event, TurnStarted)]
    assert times == sorted(times)
    woken = whole[whole.index(fired) - 1]
    assert isinstance(woken, TurnStarted)
    assert woken.at >= timer.fire_at

    of_child = await runtime.history(f"{handle.id}-child")
    begun = of_child[1]
    assert isinstance(begun, ExecutionStarted)
    assert begun.parent is not None
    assert (begun.parent.instance_id, begun.parent.task_id) == (handle.id, child.id)


async def test_a_failed_activity_and_the_failure_that_follows(runtime: Runtime) -> None:
    instance_id = await runtime.start("Breaking", input="no stock")
    await runtime.wait(instance_id, timeout=PATIENCE)
    *_, failed, end = await runtime.history(instance_id)
    assert isinstance(failed, TaskFailed)
    assert (failed.failure.error_type, failed.failure.message) == ("ValueError", "no stock")
    assert isinstance(end, ExecutionCompleted)
    assert end.status is WorkflowStatus.FAILED
    assert end.failure is not None
    assert end.failure.cause == failed.failure


async def test_signals_pauses_and_a_termination(runtime: Runtime) -> None:
    instance_id = await runtime.start("Waiter", input="x")
    await runtime.raise_event(instance_id, "other", 1)
    await runtime.pause(instance_id, reason="lunch")
    await runtime.raise_event(instance_id, "later", 2)
    await runtime.resume(instance_id)
    await runtime.terminate(instance_id, output="enough")
    events = [
        event for event in await runtime.history(instance_id) if type(event) is not TurnStarted
    ]
    assert isinstance(events[0], ExecutionStarted)
    assert events[1:] == [
        EventRaised("other", "1"),
        ExecutionSuspended("lunch"),
        EventRaised("later", "2"),
        ExecutionResumed(),
        ExecutionTerminated('"enough"'),
        ExecutionCompleted(WorkflowStatus.TERMINATED, '"enough"'),
    ]


async def test_what_no_worker_has_taken_up_is_told_too(runtime: Runtime) -> None:
    instance_id = await runtime.start("Echo", input=1, options={"task_queue": "nobody"})
    await runtime.raise_event(instance_id, "go")
    assert kinds(await runtime.history(instance_id)) == [
        *(TurnStarted, ExecutionStarted, EventRaised)
    ]
    await runtime.terminate(instance_id)


async def test_only_the_latest_run_is_told(
    runtime: Runtime, client: Client, native_queue: str
) -> None:
    instance_id = uuid4().hex
    await client.start_workflow(
        "Renewed", args=[f"{instance_id}-child", 3], id=instance_id, task_queue=native_queue
    )
    await runtime.wait(instance_id, timeout=PATIENCE)
    events = await runtime.history(instance_id)
    assert kinds(events) == [TurnStarted, ExecutionStarted, ExecutionCompleted]
    assert ContinuedAsNew not in kinds(events)


async def test_children_that_end_badly(runtime: Runtime) -> None:
    child = uuid4().hex
    parent = await runtime.start("Family", input={child: "ABANDON"})
    await until(lambda: runtime.get(parent), lambda state: state.custom_status is not None)
    await runtime.terminate(child)

    async def failures() -> list[str]:
        events = await runtime.history(parent)
        return [event.failure.error_type for event in events if isinstance(event, ChildFailed)]

    assert await until(failures, bool) == ["TerminatedError"]
    await runtime.terminate(parent)


async def test_a_history_of_several_pages_is_whole(runtime: Runtime) -> None:
    count = 1500
    instance_id = await runtime.start("Waiter", options={"task_queue": "nobody"})
    for number in range(count):
        await runtime.raise_event(instance_id, "item", number)
    raised = [
        event for event in await runtime.history(instance_id) if isinstance(event, EventRaised)
    ]
    assert [event.input for event in raised] == [str(number) for number in range(count)]
    await runtime.terminate(instance_id)


def kinds(events: Sequence[HistoryEvent]) -> list[type]:
    """Return what kinds of event they are."""
    return [type(event) for event in events]
