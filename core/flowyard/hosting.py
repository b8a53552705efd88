"""A host for components that keep instances themselves: it runs turns, and what they decide.

A plugin that has a place to keep instances needs no more than this to run workflows on it; see
docs/plugins.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Protocol

from flowyard.clock import Alarm, Clock
from flowyard.errors import FlowyardError, InstanceAlreadyExists, InstanceNotFound
from flowyard.executor import Executor, TurnResult, closed, recorded, run_scheduled, watch
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
    TaskScheduled,
)
from flowyard.hosted import HostedInstance
from flowyard.journal import RESULTS, result_of
from flowyard.machine import SYSTEM, Machine
from flowyard.models import FailureDetails, ReusePolicy, StartRequest, WorkflowStatus

logger = logging.getLogger(__name__)


class InstanceStore(Protocol):
    """Where a component keeps its instances."""

    async def find(self, instance_id: str) -> HostedInstance:
        """Return the instance, always the same object; raise `InstanceNotFound`."""
        ...

    async def add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
        """Keep a new instance, or raise `InstanceAlreadyExists` and leave the old one alone."""
        ...

    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        """Make durable what a turn has added to the history, and the backlog as it is now.

        `instance.backlog` is what has come and waits for a turn; it replaces what was stored of it
        before. There are no events where only the backlog has changed. Nothing follows from what is
        being saved, and nobody is answered, until this returns.
        """
        ...


class Host:
    """Delivers events to instances. Open it with `async with`; what runs ends with it."""

    def __init__(
        self, store: InstanceStore, executor: Executor, clock: Clock, machine: Machine = SYSTEM
    ) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._machine = machine
        self._tasks: set[asyncio.Task[object]] = set()
        self._alarms: set[Alarm] = set()
        self._stalled: set[HostedInstance] = set()
        self._changes = 0

    async def __aenter__(self) -> Host:
        self._unwatch = watch(self._executor, self._take_up_stalled)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._unwatch()
        for alarm in self._alarms:
            alarm.cancel()
        # Work that ends may leave some behind, such as the result of an activity.
        while self._tasks:
            tasks, self._tasks = self._tasks, set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def start(self, request: StartRequest) -> None:
        """Start an instance as the request says; it has no start time."""
        self._executor.check_workflow(request.workflow)
        started = ExecutionStarted(request.workflow, request.input, self._machine.new_uuid().hex)
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
        """Take up an instance of an earlier host where that one left it."""
        journal = instance.journal
        if journal.completion is not None:
            await self._close(instance, journal.completion)
            return
        for scheduled in journal.tasks.values():
            self._spawn(self._run_activity(instance, instance.started.execution_id, scheduled))
        for created in journal.children.values():
            if (child := await self._find(created.instance_id)) is None:
                await self._act(instance, created)
            elif not _is_child(child, instance, created):
                self._refuse_child(instance, created, child.status)
        self._answer_refused(instance)
        if journal.continuation is not None:
            # What answers the execution that has ended is not for the next one.
            kept = [event for event in instance.backlog if not isinstance(event, RESULTS)]
            instance.begin((), [*journal.successor(self._machine.new_uuid().hex), *kept])
        self._set_alarm(instance)
        await self.deliver(instance)

    async def _run_turn(self, instance: HostedInstance) -> bool:
        journal, backlog = instance.journal, instance.backlog
        past = len(journal.history)
        turn = journal.turn(self._clock.now(), backlog)
        changes = self._changes
        self._stalled.discard(instance)
        result = self._executor.run_turn(turn) if turn.runs_code else TurnResult()
        if not isinstance(result, TurnResult):
            result = await result
        instance.stalled = result.stalled
        if result.stalled is not None:
            self._take_back(instance, past)
            self._stalled.add(instance)
            # Who has sent what waits now is told that it is kept.
            await self._store.save(instance, ())
            # Code that has come meanwhile may fit.
            return self._changes != changes
        added = journal.commit(turn, result)
        instance.backlog = []
        instance.updated_at = self._clock.now()
        if result.custom_status is not None:
            instance.custom_status = result.custom_status or None
        try:
            await self._store.save(instance, added)
        except BaseException:
            instance.backlog = backlog
            self._take_back(instance, past)
            raise
        for action in result.actions:
            await self._act(instance, action)
        if journal.completion is not None or journal.continuation is not None:
            closed(self._executor, instance.id, instance.started.execution_id)
        if journal.completion is not None:
            await self._close(instance, journal.completion)
        elif journal.continuation is not None:
            instance.begin((), journal.successor(self._machine.new_uuid().hex))
        self._set_alarm(instance)
        return True

    def _take_up_stalled(self) -> None:
        self._changes += 1
        for instance in self._stalled:
            self._tell(instance)

    def _take_back(self, instance: HostedInstance, past: int) -> None:
        """Undo a turn that decided nothing or was not saved; its events wait for the next."""
        self._executor.forget(instance.id)
        instance.begin(instance.journal.history[:past], instance.backlog)

    async def _act(self, instance: HostedInstance, action: Action) -> None:
        started = instance.started
        if isinstance(action, TaskScheduled):
            self._spawn(self._run_activity(instance, started.execution_id, action))
        elif isinstance(action, ChildCreated):
            if action.refused is not None:
                self._answer_refused(instance)
                return
            begin = instance.journal.child_started(action, self._machine.new_uuid().hex)
            child = HostedInstance(action.instance_id, begin, self._clock.now())
            try:
                await self._store.add(child, ReusePolicy.REPLACE_CLOSED)
            except FlowyardError as error:
                if action.detached:
                    message = "instance '%s': detached workflow '%s' is not started: %s"
                    logger.warning(message, instance.id, action.name, error)
                    return
                self._answer(instance, ChildFailed(action.id, FailureDetails.of(error)))
            else:
                self._spawn(self.deliver(child))
        elif isinstance(action, EventSent):
            self._tell(await self._find(action.instance_id), EventRaised(action.name, action.input))

    def _answer_refused(self, instance: HostedInstance) -> None:
        self._answer(instance, *instance.journal.refused.values())

    def _refuse_child(
        self, instance: HostedInstance, created: ChildCreated, taken: WorkflowStatus
    ) -> None:
        failure = FailureDetails.of(InstanceAlreadyExists(created.instance_id, taken))
        self._answer(instance, ChildFailed(created.id, failure))

    def _answer(self, instance: HostedInstance, *failed: ChildFailed) -> None:
        if failed:
            self._tell(instance, *failed, execution_id=instance.started.execution_id)

    async def _run_activity(
        self, instance: HostedInstance, execution_id: str, scheduled: TaskScheduled
    ) -> None:
        event = await run_scheduled(self._executor, instance.id, execution_id, scheduled)
        await self.deliver(instance, event, execution_id=execution_id)
        recorded(self._executor, instance.id, execution_id, scheduled.id)

    async def _close(self, instance: HostedInstance, completion: ExecutionCompleted) -> None:
        instance.closed.set()
        ended = instance.journal.history[-2]
        if isinstance(ended, ExecutionTerminated) and ended.recursive:
            for created in instance.journal.children.values():
                child = await self._find(created.instance_id)
                # Somebody else may have the ID, and the answer that says so be on its way.
                if child is not None and _is_child(child, instance, created):
                    self._tell(child, ended)
        link = instance.parent
        if link is not None:
            created = ChildCreated(link.task_id, "", instance.id, None)
            result = result_of(created, completion)
            parent = await self._find(link.instance_id)
            self._tell(parent, result, execution_id=link.execution_id)

    def _set_alarm(self, instance: HostedInstance) -> None:
        if instance.alarm is not None:
            instance.alarm.cancel()
            self._alarms.discard(instance.alarm)
            instance.alarm = None
        when, execution_id = instance.journal.next_timer(), instance.started.execution_id
        if when is None or instance.journal.is_closed:
            return

        def ring() -> None:
            due = instance.journal.due_timers(self._clock.now())
            if due:
                self._tell(instance, *due, execution_id=execution_id)
            else:
                # A clock may ring early for a far time.
                self._set_alarm(instance)

        instance.alarm = self._clock.call_at(when, ring)
        self._alarms.add(instance.alarm)

    async def _find(self, instance_id: str) -> HostedInstance | None:
        try:
            return await self._store.find(instance_id)
        except InstanceNotFound:
            return None

    def _tell(
        self,
        instance: HostedInstance | None,
        *events: HistoryEvent,
        execution_id: str | None = None,
    ) -> None:
        if instance is not None:
            self._spawn(self.deliver(instance, *events, execution_id=execution_id))

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a turn was not saved; it is repeated with the next event", exc_info=error)


def _is_child(child: HostedInstance, parent: HostedInstance, created: ChildCreated) -> bool:
    """Whether it was this action that has started the instance."""
    link = child.parent
    return link is not None and (link.instance_id, link.execution_id, link.task_id) == (
        parent.id,
        parent.started.execution_id,
        created.id,
    )
