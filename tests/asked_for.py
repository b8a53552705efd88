"""What only SDK workers ask for, put to a host by a worker that asks for all of it in one turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import uuid4

from flowyard import Runtime, WorkflowStatus
from flowyard.backend.executor import ActivityResult, ActivityTask, Turn, TurnResult
from flowyard.backend.history import (
    OWN_HISTORY,
    Action,
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ExecutionCompleted,
    ExecutionStarted,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
)
from flowyard.backend.timestamps import NEVER
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.executors.work_queue import WorkQueue
from flowyard.executors.worker_streams import Delivery
from flowyard.failure import FailureDetails

_REFUSED = FailureDetails("AppNotServed", "another app", non_retryable=True)
_ANSWERS = (ChildCompleted, ChildFailed, TaskCompleted, TaskFailed)
_PATIENCE = 120


def _done(output: str) -> ExecutionCompleted:
    return ExecutionCompleted(WorkflowStatus.COMPLETED, output)


def _launched(turn: Turn) -> Sequence[Action]:
    own_id = turn.instance_id
    if not turn.past:
        return [
            TimerCreated(2, NEVER, "event", "go"),
            ChildCreated(1, "aside", f"{own_id}-aside", "7", detached=True),
            ChildCreated(2, "kid", own_id, None),
            ChildCreated(3, "kid", f"{own_id}-kid", None, propagation=OWN_HISTORY),
            TaskScheduled(4, "step", None, 4, refused=_REFUSED),
            TaskScheduled(5, "step", None, 5, propagation=OWN_HISTORY),
        ]
    answers = [event for event in (*turn.past, *turn.new) if isinstance(event, _ANSWERS)]
    if len(answers) < 4:
        return []
    first, second = _done('"all answered"'), _done('"too late"')
    return [first, second]


def _kid(turn: Turn) -> Sequence[Action]:
    (started,) = (event for event in turn.new if isinstance(event, ExecutionStarted))
    told = started.propagated.chunks if started.propagated is not None else ()
    return [_done(f'"told of {len(told)}"')]


_CODE: dict[str, Callable[[Turn], Sequence[Action]]] = {
    "launcher": _launched,
    "kid": _kid,
    "aside": lambda _turn: [_done('"alone"')],
}


async def _work(queue: WorkQueue, propagations: list[int]) -> None:
    with queue.stream() as stream:
        while True:
            delivery: Delivery = await stream.take()
            request = delivery.work.request
            if isinstance(request, ActivityTask):
                propagations.append(request.propagation)
                delivery.conclude(ActivityResult("1"))
                continue
            events = (*request.past, *request.new)
            (started,) = (event for event in events if isinstance(event, ExecutionStarted))
            delivery.conclude(TurnResult(_CODE[started.workflow](request)))


async def check_what_workers_ask_for(spec: ComponentSpec) -> None:
    """Have a host do all of it; it answers what it refuses, and the rest as any other."""
    launcher = f"launcher-{uuid4().hex}"
    executors = RemoteExecutors()
    propagations: list[int] = []
    async with Runtime.open([spec], executor=executors.make) as runtime:
        working = asyncio.create_task(_work(executors.queue(spec.name), propagations))
        try:
            async with asyncio.timeout(_PATIENCE):
                await runtime.start("launcher", instance_id=launcher)
                launched = await runtime.wait(launcher)
                assert launched.output == '"all answered"', launched
                aside = await _once_closed(runtime, f"{launcher}-aside")
            assert aside == ('"alone"', "7", None), aside
            assert propagations == [OWN_HISTORY]
            history = await runtime.history(launcher)
        finally:
            working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert any(isinstance(event, ChildCreated) and event.detached for event in history)
    answers = [event for event in history if isinstance(event, _ANSWERS)]
    assert ChildCompleted(3, '"told of 1"') in answers
    assert TaskCompleted(5, "1") in answers


async def _once_closed(
    runtime: Runtime, instance_id: str
) -> tuple[str | None, str | None, str | None]:
    await runtime.wait(instance_id)
    state = await runtime.get(instance_id)
    return state.output, state.input, state.parent_instance_id
