"""The instances that are kept: how each comes to stand where it does, and how it is finished.

Never change what is there: the data were made by it. For another state, add an instance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from compatibility.workflows import Code, make_app
from flowyard import App, InstanceNotFound, Runtime, WorkflowStatus
from flowyard.backend.history import TurnStarted
from flowyard.payload import ABSENT

OpenRuntime: TypeAlias = Callable[[App | None], AbstractAsyncContextManager[Runtime]]

PATIENCE = timedelta(seconds=200)
UNTIL = "the time at which the timers are due"
"""In the place of an input."""
UNTIL_DUE = frozenset({"pending"})
"""The instances that begin when the timers are due."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: where it stands, what it is still to get, and what it then returns.

    `history` names the events of its execution but for the turns, `parent` the instance that starts
    it.
    """

    workflow: str
    input: object = ABSENT
    history: str = "ExecutionStarted"
    status: WorkflowStatus = WorkflowStatus.RUNNING
    events: tuple[object, ...] = ()
    result: object = None
    parent: str | None = None
    custom_status: str | None = None


_CLOSED = "ExecutionStarted ExecutionCompleted"
_ONCE = ("at last",)

INSTANCES: dict[str, Instance] = {
    "completed": Instance("pays", 0, _CLOSED, WorkflowStatus.COMPLETED, result=[]),
    "failed": Instance("fails", ABSENT, _CLOSED, WorkflowStatus.FAILED),
    "terminated": Instance(
        "pays",
        1,
        "ExecutionStarted ExecutionTerminated ExecutionCompleted",
        WorkflowStatus.TERMINATED,
        result="enough",
    ),
    "pending": Instance("pays", 1, "", WorkflowStatus.PENDING, _ONCE, ["at last"]),
    "running": Instance(
        "works", 7, "ExecutionStarted TaskScheduled TaskCompleted TaskScheduled", result=[1, 7]
    ),
    "event": Instance(
        "pays", 2, "ExecutionStarted EventRaised", events=_ONCE, result=["first", "at last"]
    ),
    "unheard": Instance("pays", 1, result=["while nobody runs it"]),
    "timer": Instance("sleeps", UNTIL, "ExecutionStarted TimerCreated", result="awake"),
    "retrying": Instance(
        "retries",
        UNTIL,
        "ExecutionStarted TaskScheduled TaskFailed TimerCreated",
        result=2,
    ),
    "paused": Instance(
        "pays",
        2,
        "ExecutionStarted ExecutionSuspended EventRaised",
        WorkflowStatus.SUSPENDED,
        _ONCE,
        ["while paused", "at last"],
    ),
    "stalled": Instance(
        "changed",
        ABSENT,
        "ExecutionStarted TaskScheduled TaskCompleted",
        WorkflowStatus.STALLED,
        result=[2, "while stalled"],
    ),
    "reporting": Instance(
        "reports", events=_ONCE, result="at last", custom_status='{"progress":0.5}'
    ),
    "juggling": Instance(
        "juggles",
        UNTIL,
        "ExecutionStarted EventSent TaskScheduled TaskScheduled TimerCreated TaskCompleted",
        result=[1, 2, "too late"],
    ),
    "continued": Instance(
        "loops", 1, "ExecutionStarted EventRaised", events=_ONCE, result=["carried", "at last"]
    ),
    "parent": Instance(
        "parent",
        "its-child",
        "ExecutionStarted ChildCreated ChildCompleted ChildCreated",
        result=[[], ["at last"]],
    ),
    "its-child": Instance("pays", 1, events=_ONCE, result=["at last"], parent="parent"),
    "twins": Instance(
        "twins",
        "older-twin",
        "ExecutionStarted ChildCreated ChildCreated ChildFailed",
        result=["refused", ["at last"]],
    ),
    "older-twin": Instance("pays", 1, events=_ONCE, result=["at last"], parent="twins"),
    "patched": Instance("patched", events=_ONCE, result=[True, "at last", True]),
    "amended": Instance("amended", events=_ONCE, result=[False, "at last"]),
    "versioned": Instance("versioned", events=_ONCE, result=["v1", "at last"]),
}
"""By ID."""


async def begin(open_runtime: OpenRuntime, due: datetime) -> None:
    """Bring all instances to where they stand; the processes that did it are gone then."""
    async with open_runtime(make_app(Code.FIRST)) as runtime:
        for instance_id, instance in INSTANCES.items():
            if instance.parent is None:
                await runtime.start(
                    instance.workflow,
                    input=due if instance.input is UNTIL else instance.input,
                    instance_id=instance_id,
                    start_at=due if instance_id in UNTIL_DUE else None,
                )
        await _until(runtime, "continued", "ExecutionStarted")
        for name, data in (("pay", "carried"), ("renew", None)):
            await runtime.raise_event("continued", name, data)
        await runtime.raise_event("event", "pay", "first")
        for instance_id in ("terminated", "paused"):
            await _until(runtime, instance_id, "ExecutionStarted")
        await runtime.terminate("terminated", output="enough")
        await runtime.pause("paused", reason="lunch")
        await runtime.raise_event("paused", "pay", "while paused")
        for instance_id, instance in INSTANCES.items():
            if instance.status is not WorkflowStatus.PENDING:
                await _until(runtime, instance_id, instance.history)
    async with open_runtime(make_app(Code.UNFIT)) as runtime:
        await runtime.raise_event("stalled", "pay", "while stalled")
        for instance_id, instance in INSTANCES.items():
            async with asyncio.timeout(PATIENCE.total_seconds()):
                while (  # noqa: ASYNC110 - it becomes so elsewhere
                    await runtime.get(instance_id)
                ).status is not instance.status:
                    await asyncio.sleep(0.1)
    async with open_runtime(None) as runtime:
        await runtime.raise_event("unheard", "pay", "while nobody runs it")


async def finish(runtime: Runtime, there: Container[str]) -> None:
    """Finish those that are there, by today's code and when the timers are due; check the results.

    Data of an earlier version may lack some.
    """
    instances = {key: instance for key, instance in INSTANCES.items() if key in there}
    for instance_id, instance in instances.items():
        for data in instance.events:
            assert await runtime.raise_event(instance_id, "pay", data), instance_id
        if instance.status is WorkflowStatus.SUSPENDED:
            assert await runtime.resume(instance_id)
    for instance_id, instance in instances.items():
        state = await runtime.wait(instance_id, timeout=PATIENCE)
        if not instance.status.is_closed:
            assert state.status is WorkflowStatus.COMPLETED, state
        if state.status is WorkflowStatus.COMPLETED:
            assert state.result() == instance.result, state


async def _until(runtime: Runtime, instance_id: str, history: str) -> None:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while (  # noqa: ASYNC110 - it goes on elsewhere
            await _names_of(runtime, instance_id) != sorted(history.split())
        ):
            await asyncio.sleep(0.1)


async def _names_of(runtime: Runtime, instance_id: str) -> list[str]:
    """Return the names of the events of an instance's history, in the order of the alphabet."""
    try:
        history = await runtime.history(instance_id)
    except InstanceNotFound:
        return []  # a child whose parent has yet to start it
    return sorted(type(event).__name__ for event in history if not isinstance(event, TurnStarted))
