"""A host for components that keep instances themselves: it runs turns, and what they decide.

A plugin that has a place to keep instances needs no more than this to run workflows on it; see
docs/plugins.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from types import TracebackType

from flowyard.backend.backlog import Unsent
from flowyard.backend.executor import Executor, TurnResult, closed, recorded, run_scheduled, watch
from flowyard.backend.history import (
    Action,
    ChildCreated,
    ChildFailed,
    EventSent,
    ExecutionStarted,
    HistoryEvent,
    TaskScheduled,
)
from flowyard.backend.host_instance import HostedInstance
from flowyard.backend.outbox import Following, InstanceStore
from flowyard.clock import Alarm, Clock
from flowyard.errors import InstanceAlreadyExists
from flowyard.failure import FailureDetails
from flowyard.machine import SYSTEM, Machine
from flowyard.models import ReusePolicy, StartRequest, WorkflowStatus

__all__ = ["Host", "InstanceStore"]
logger = logging.getLogger(__name__)


class Host(Following):
    """Runs the instances of a component that keeps them itself, and does what their turns decide.

    Open it with `async with`; what runs ends with it.

    Args:
        store: The store in which the component keeps its instances.
        executor: The executor that runs their code.
        clock: The clock of turns and timers.
        machine: The source of the IDs of executions; by default the machine that this process runs
            on.

    Example:
        ```python
        async with Host(store, context.executor, context.clock, context.machine) as host:
            for instance in await store.read_all():
                await host.recover(instance)
            yield MyComponent(context.name, store, host)
        ```
    """

    def __init__(
        self, store: InstanceStore, executor: Executor, clock: Clock, machine: Machine = SYSTEM
    ) -> None:
        super().__init__(store, clock)
        self._executor = executor
        self._machine = machine
        self._alarms: set[Alarm] = set()
        self._stalled: dict[HostedInstance, None] = {}
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
        while self._background:
            await asyncio.gather(*self._background.cancel(), return_exceptions=True)

    async def start(self, request: StartRequest) -> None:
        """Start an instance, and return once it is stored and its first turn was run.

        Args:
            request: The workflow, its input and the new ID. A start time in it is ignored.

        Raises:
            WorkflowNotRegistered: If nobody can run the workflow.
            InstanceAlreadyExists: If the ID is taken and may not be reused.
        """
        self._executor.check_workflow(request.workflow)
        await self.finish(self._start(request))

    async def _start(self, request: StartRequest) -> None:
        started = ExecutionStarted(request.workflow, request.input, self._machine.new_uuid().hex)
        instance = HostedInstance(request.instance_id, started, self._clock.now())
        reuse, old = request.reuse, await self._find(instance.id)
        if reuse is ReusePolicy.REPLACE_CLOSED:
            if old is not None and old.status.is_closed:
                await self.settle(old)
            else:
                # It may have closed, but not be settled, when the store looks.
                reuse = ReusePolicy.REJECT
        instance.is_taken_up = True
        await self._store.add(instance, reuse)
        try:
            await self._deliver(instance)
        except Exception:
            # It is there all the same.
            logger.exception(
                "instance '%s': its first turn was not saved; trying it again", instance.id
            )
            self._tell(instance)

    async def deliver(
        self, instance: HostedInstance, *events: HistoryEvent, execution_id: str | None = None
    ) -> bool:
        """Run the turns that events cause, and return once they are saved.

        Where this raises, the events have not come.

        Args:
            instance: The instance that gets the events.
            events: The events that have come, in order. Without any, the turns of events that
                already wait are run.
            execution_id: The ID of the execution that has asked for these results, as a later one
                must not see them; None, the default, for events that are for any execution.

        Returns:
            False if none of the events changes anything: the instance has closed, is in another
            execution, or was so already (a second pause, a second result).
        """
        return await self.finish(self._deliver(instance, *events, execution_id=execution_id))

    async def _deliver(
        self, instance: HostedInstance, *events: HistoryEvent, execution_id: str | None = None
    ) -> bool:
        async with instance.turning:
            await self._take_up(instance)
            if execution_id not in {None, instance.started.execution_id}:
                return False
            is_admitted, goes_on = await self._run_turn(instance, events)
            try:
                while goes_on:
                    _, goes_on = await self._run_turn(instance, ())
            except Exception:
                logger.exception(
                    "instance '%s': a turn was not saved; trying it again", instance.id
                )
                self._tell(instance)
            return is_admitted

    async def recover(self, instance: HostedInstance) -> None:
        """Take up an instance of an earlier host where that one left it.

        Args:
            instance: An instance that was read from the store by `HostedInstance.begin`.
        """
        async with instance.turning:
            await self._take_up(instance)
        if instance.waiting:
            self._tell(instance)

    async def _take_up(self, instance: HostedInstance) -> None:
        """Go on from what an earlier host has stored, unless that is done."""
        if instance.is_taken_up:
            return
        for mark in list(instance.received):
            sender = await self._find(mark.instance_id)
            if sender is None or mark not in sender.unconfirmed:
                instance.confirm(mark)
        instance.is_taken_up = True
        journal, execution_id = instance.journal, instance.started.execution_id
        self._follow(instance, instance.unsent, journal.completion)
        if journal.is_closed:
            instance.closed.set()
        elif journal.continuation is not None:
            instance.continue_as_new(self._machine.new_uuid().hex)
        else:
            for scheduled in journal.tasks.values():
                self._background.run(self._run_activity(instance, execution_id, scheduled))
            self._answer_refused(instance)
            self._set_alarm(instance)

    async def _run_turn(
        self, instance: HostedInstance, events: Sequence[HistoryEvent]
    ) -> tuple[bool, bool]:
        """Run a turn if anything is new; return whether these were, and whether to look again."""
        journal = instance.journal
        past = len(journal.history)
        waiting = instance.waiting = [event for event in instance.waiting if journal.admit(event)]
        own = [event for event in events if journal.admit(event)]
        turn = journal.turn(self._clock.now(), [*waiting, *own])
        taken = len(waiting)
        if len(turn.new) == 1:
            return False, False
        changes = self._changes
        self._stalled.pop(instance, None)
        try:
            result = self._executor.run_turn(turn) if turn.runs_code else TurnResult()
            if not isinstance(result, TurnResult):
                result = await result
            if result.stalled is not None:
                instance.stalled = result.stalled
                self._take_back(instance, past)
                self._stalled[instance] = None
                await self._keep(instance, own)
                # Code that has come meanwhile may fit.
                return bool(own), self._changes != changes
            async with instance.saving:
                added = journal.commit(turn, result)
                sent, failed = self._sent_by(instance, result.actions)
                left = [] if journal.is_closed else [*instance.waiting[taken:], *failed]
                await self._save_turn(instance, added, result, sent, left)
        except BaseException:
            self._take_back(instance, past)
            raise
        for action in result.actions:
            self._act(instance, action)
        self._follow(instance, sent, journal.completion)
        if journal.is_closed or journal.continuation is not None:
            closed(self._executor, instance.id, instance.started.execution_id)
        if journal.is_closed:
            instance.closed.set()
        elif journal.continuation is not None:
            instance.continue_as_new(self._machine.new_uuid().hex)
        self._set_alarm(instance)
        return bool(own), bool(instance.waiting)

    async def _save_turn(
        self,
        instance: HostedInstance,
        added: Sequence[HistoryEvent],
        result: TurnResult,
        sent: Sequence[Unsent],
        left: list[HistoryEvent],
    ) -> None:
        before = instance.waiting, instance.unsent, instance.custom_status, instance.updated_at
        instance.waiting = left
        instance.unsent = [*instance.unsent, *sent]
        instance.updated_at = self._clock.now()
        if result.custom_status is not None:
            instance.custom_status = result.custom_status or None
        try:
            await self._store.save(instance, added)
        except BaseException:
            instance.waiting, instance.unsent, instance.custom_status, instance.updated_at = before
            raise
        instance.stalled = None
        instance.unconfirmed.update(instance.mark_of(unsent) for unsent in sent)
        instance.note_saved()

    async def _keep(self, instance: HostedInstance, own: Sequence[HistoryEvent]) -> None:
        """Store what has come and no code fits: who has sent it is told that it is kept."""
        async with instance.saving:
            before = list(instance.waiting)
            instance.waiting += own
            try:
                await self._store.save(instance, ())
            except BaseException:
                instance.waiting = before
                raise

    def _take_up_stalled(self) -> None:
        self._changes += 1
        for instance in self._stalled:
            self._tell(instance)

    def _take_back(self, instance: HostedInstance, past: int) -> None:
        """Undo a turn that decided nothing or was not saved."""
        self._executor.forget(instance.id)
        instance.go_on(instance.journal.history[:past], instance.waiting)

    def _sent_by(
        self, instance: HostedInstance, actions: Sequence[Action]
    ) -> tuple[list[Unsent], list[ChildFailed]]:
        """Return what a turn sends and starts, and how the children have failed that it does not.

        Of two children with one ID the first is active when the second is asked for.
        """
        sent: list[Unsent] = []
        failed: list[ChildFailed] = []
        started: set[str] = set()
        for action in actions:
            unsent = self._outgoing(instance, action)
            if unsent is None:
                continue
            if isinstance(unsent.event, ExecutionStarted):
                if unsent.instance_id in started:
                    taken = InstanceAlreadyExists(unsent.instance_id, WorkflowStatus.RUNNING)
                    if not unsent.is_detached:
                        failed.append(ChildFailed(unsent.id, FailureDetails.of(taken)))
                    continue
                started.add(unsent.instance_id)
            sent.append(unsent)
        return sent, failed

    def _outgoing(self, instance: HostedInstance, action: Action) -> Unsent | None:
        """Return what an action is to others, if anything."""
        execution_id = instance.started.execution_id
        if isinstance(action, EventSent):
            return Unsent(execution_id, action.id, action.instance_id, action.raised)
        if isinstance(action, ChildCreated) and action.refused is None:
            begin = instance.journal.child_started(action, self._machine.new_uuid().hex)
            return Unsent(execution_id, action.id, action.instance_id, begin, action.detached)
        return None

    def _act(self, instance: HostedInstance, action: Action) -> None:
        if isinstance(action, TaskScheduled):
            execution_id = instance.started.execution_id
            self._background.run(self._run_activity(instance, execution_id, action))
        elif isinstance(action, ChildCreated) and action.refused is not None:
            self._answer_refused(instance)

    def _answer_refused(self, instance: HostedInstance) -> None:
        if failed := instance.journal.refused.values():
            self._tell(instance, *failed, execution_id=instance.started.execution_id)

    async def _run_activity(
        self, instance: HostedInstance, execution_id: str, scheduled: TaskScheduled
    ) -> None:
        event = await run_scheduled(self._executor, instance.id, execution_id, scheduled)
        await self._surely(partial(self._deliver, instance, event, execution_id=execution_id))
        recorded(self._executor, instance.id, execution_id, scheduled.id)

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
