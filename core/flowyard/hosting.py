"""A host for components that keep instances themselves: it runs turns, and what they decide.

A plugin that has a place to keep instances needs no more than this to run workflows on it; see
docs/plugins.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Protocol
from uuid import uuid4

from flowyard.clock import Alarm, Clock
from flowyard.errors import FlowyardError, InstanceAlreadyExists, InstanceNotFound
from flowyard.executor import ActivityTask, Executor, TurnResult
from flowyard.history import (
    Action,
    ChildCreated,
    ChildFailed,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionTerminated,
    HistoryEvent,
    Parent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    to_datetime,
)
from flowyard.journal import Journal, result_of
from flowyard.models import FailureDetails, ReusePolicy, StartRequest, WorkflowState, WorkflowStatus


class HostedInstance:
    """One instance in memory: its journal, and what is admitted to it but awaits a turn."""

    journal: Journal
    backlog: list[HistoryEvent]

    def __init__(self, instance_id: str, started: ExecutionStarted, now: int) -> None:
        self.id = instance_id
        self.parent = started.parent
        self.created_at = self.updated_at = now
        self.custom_status: str | None = None
        self.stalled: FailureDetails | None = None
        self.alarm: Alarm | None = None
        self.turning = asyncio.Lock()
        self.closed = asyncio.Event()
        self.begin((), [started])

    def begin(self, past: Iterable[HistoryEvent], new: Iterable[HistoryEvent]) -> None:
        """Go on from a history, with what is to come after it."""
        self.journal = Journal(self.id, past)
        self.backlog = [event for event in new if self.journal.admit(event)]

    @property
    def started(self) -> ExecutionStarted:
        """How the current execution began."""
        assert self.journal.started is not None  # noqa: S101  # given to begin()
        return self.journal.started

    @property
    def status(self) -> WorkflowStatus:
        """What the journal says, unless the code does not fit it."""
        return WorkflowStatus.STALLED if self.stalled is not None else self.journal.status

    def state(self, *, payloads: bool = True) -> WorkflowState:
        """Return what callers see."""
        completion = self.journal.completion
        failure = completion.failure if completion is not None else self.stalled
        return WorkflowState(
            instance_id=self.id,
            workflow=self.started.workflow,
            status=self.status,
            created_at=to_datetime(self.created_at),
            last_updated_at=to_datetime(self.updated_at),
            input=self.started.input if payloads else None,
            output=completion.output if payloads and completion is not None else None,
            custom_status=self.custom_status,
            failure=failure if payloads else None,
            parent_instance_id=self.parent.instance_id if self.parent is not None else None,
            detail=self.stalled.message if self.stalled is not None else None,
        )


class InstanceStore(Protocol):
    """Where a component keeps its instances."""

    async def find(self, instance_id: str) -> HostedInstance:
        """Return the instance, always the same object; raise `InstanceNotFound`."""
        ...

    async def add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
        """Keep a new instance, or raise `InstanceAlreadyExists` and leave the old one alone."""
        ...

    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        """Make durable what a turn has added, before anything follows from it."""
        ...


class Host:
    """Delivers events to instances. Open it with `async with`; what runs ends with it."""

    def __init__(self, store: InstanceStore, executor: Executor, clock: Clock) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._tasks: set[asyncio.Task[object]] = set()
        self._alarms: set[Alarm] = set()

    async def __aenter__(self) -> Host:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for alarm in self._alarms:
            alarm.cancel()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self, request: StartRequest) -> None:
        """Start an instance as the request says; it has no start time."""
        self._executor.check_workflow(request.workflow)
        started = ExecutionStarted(request.workflow, request.input, uuid4().hex)
        instance = HostedInstance(request.instance_id, started, self._clock.now())
        await self._store.add(instance, request.reuse)
        await self.deliver(instance)

    async def deliver(
        self, instance: HostedInstance, *events: HistoryEvent, execution_id: str | None = None
    ) -> bool:
        """Run the turns that events cause and return once they are saved; False if none.

        Results name the execution that asked for them: a later one must not see them.
        """
        async with instance.turning:
            if execution_id not in {None, instance.started.execution_id}:
                return False
            admitted = [event for event in events if instance.journal.admit(event)]
            instance.backlog += admitted
            while instance.backlog and await self._run_turn(instance):
                pass
            return bool(admitted)

    async def recover(self, instance: HostedInstance) -> None:
        """Take up what was decided, but had not ended when the last host did."""
        journal = instance.journal
        for action in (*journal.tasks.values(), *journal.children.values()):
            await self._act(instance, action)
        self._set_alarm(instance)

    async def _run_turn(self, instance: HostedInstance) -> bool:
        journal, backlog = instance.journal, instance.backlog
        past = len(journal.history)
        turn = journal.turn(self._clock.now(), backlog)
        result = self._executor.run_turn(turn) if turn.runs_code else TurnResult()
        if not isinstance(result, TurnResult):
            result = await result
        instance.stalled = result.stalled
        if result.stalled is not None:
            # Nothing was decided: the events wait for fitting code.
            self._executor.forget(instance.id)
            instance.begin(journal.history, backlog)
            return False
        added = journal.commit(turn, result)
        status = instance.custom_status
        ...
