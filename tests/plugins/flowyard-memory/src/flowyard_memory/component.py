"""Workflows in the memory of the process: nothing is written, everything else is as anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from flowyard import history
from flowyard.component import ComponentContext, WorkflowComponent
from flowyard.errors import (
    BackendUnavailable,
    ConfigurationError,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
)
from flowyard.executor import ActivityTask, TurnResult
from flowyard.journal import result_of
from flowyard.models import FailureDetails, ReusePolicy, StartRequest, WorkflowState
from pydantic import BaseModel, ConfigDict, PositiveInt
from pydantic.alias_generators import to_camel

from flowyard_memory.instance import Instance


class MemorySettings(BaseModel):
    """What `spec.metadata` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    max_instances: PositiveInt = 10_000


class MemoryComponent(WorkflowComponent):
    """A host: it hands events to the interpreter, and does what the interpreter decides."""

    def __init__(self, settings: MemorySettings, context: ComponentContext) -> None:
        super().__init__(context.name)
        if context.executor is None:
            raise ConfigurationError(
                f"component '{context.name}' is empty without an app: pass one"
            )
        self._executor = context.executor
        self._clock = context.clock
        self._max_instances = settings.max_instances
        self._instances: dict[str, Instance] = {}
        self._tasks: set[asyncio.Task[object]] = set()

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: MemorySettings, context: ComponentContext
    ) -> AsyncIterator[WorkflowComponent]:
        """Open the component; its instances end with it."""
        component = MemoryComponent(settings, context)
        try:
            yield component
        finally:
            for instance in component._instances.values():
                component._set_alarm(instance, None)
            for task in component._tasks:
                task.cancel()
            await asyncio.gather(*component._tasks, return_exceptions=True)

    # What callers ask for.

    async def start(self, request: StartRequest) -> None:
        self._executor.check_workflow(request.workflow)
        started = history.ExecutionStarted(request.workflow, request.input, uuid4().hex)
        await self._deliver(self._add(request.instance_id, started, request.reuse))

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        return self._find(instance_id).state(payloads=payloads)

    async def wait(self, instance_id: str) -> WorkflowState:
        instance = self._find(instance_id)
        await instance.closed.wait()
        return instance.state()

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await self._deliver(self._find(instance_id), history.EventRaised(name, data))

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        event = history.ExecutionTerminated(output, recursive)
        return await self._deliver(self._find(instance_id), event)

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self._deliver(self._find(instance_id), history.ExecutionSuspended(reason))

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self._deliver(self._find(instance_id), history.ExecutionResumed(reason))

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        family = [self._find(instance_id)]
        for member in family if recursive else ():
            instances = self._instances.values()
            family += [one for one in instances if one.parent_id == member.id]
        for member in family:
            if not member.journal.is_closed:
                raise InstanceNotClosed(member.id, member.status)
        for member in family:
            del self._instances[member.id]
        return len(family)

    async def history(self, instance_id: str) -> Sequence[history.HistoryEvent]:
        return tuple(self._find(instance_id).journal.history)

    # What hosting takes.

    def _find(self, instance_id: str) -> Instance:
        if instance_id not in self._instances:
            raise InstanceNotFound(instance_id)
        return self._instances[instance_id]

    def _add(
        self,
        instance_id: str,
        started: history.ExecutionStarted,
        reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED,
    ) -> Instance:
        old = self._instances.get(instance_id)
        if old is not None and not (old.journal.is_closed and reuse is ReusePolicy.REPLACE_CLOSED):
            raise InstanceAlreadyExists(instance_id, old.status)
        if old is None and len(self._instances) == self._max_instances:
            raise BackendUnavailable(f"component '{self.name}' is full: purge closed instances")
        self._instances[instance_id] = Instance(instance_id, started, self._clock.now())
        return self._instances[instance_id]

    async def _deliver(
        self, instance: Instance, *events: history.HistoryEvent, execution_id: str | None = None
    ) -> bool:
        """Run the turns that events cause; False if they change nothing.

        Results name the execution that asked for them: a later one must not see them.
        """
        async with instance.lock:
            if execution_id not in {None, instance.started.execution_id}:
                return False
            admitted = [event for event in events if instance.journal.admit(event)]
            instance.backlog += admitted
            while instance.backlog and await self._run_turn(instance):
                pass
            return bool(admitted)

    async def _run_turn(self, instance: Instance) -> bool:
        journal = instance.journal
        turn = journal.turn(self._clock.now(), instance.backlog)
        result = self._executor.run_turn(turn) if turn.runs_code else TurnResult()
        if not isinstance(result, TurnResult):
            result = await result
        instance.stalled = result.stalled
        if result.stalled is not None:
            # Nothing was decided: the events wait, with the history as it was, for fitting code.
            self._executor.forget(instance.id)
            instance.begin(journal.history, instance.backlog)
            return False
        journal.commit(turn, result)
        instance.backlog = []
        instance.updated_at = self._clock.now()
        if result.custom_status is not None:
            instance.custom_status = result.custom_status or None
        for action in result.actions:
            self._act(instance, action)
        if journal.continuation is not None:
            instance.begin((), journal.successor(uuid4().hex))
        elif journal.completion is not None:
            self._close(instance, journal.completion)
        self._set_alarm(instance, instance.journal.next_timer())
        return True

    def _act(self, instance: Instance, action: history.Action) -> None:
        started = instance.started
        if isinstance(action, history.TaskScheduled):
            self._spawn(self._run_activity(instance, started.execution_id, action))
        elif isinstance(action, history.ChildCreated):
            link = history.Parent(instance.id, started.execution_id, started.workflow, action.id)
            child = history.ExecutionStarted(action.name, action.input, uuid4().hex, link)
            try:
                self._spawn(self._deliver(self._add(action.instance_id, child)))
            except (InstanceAlreadyExists, BackendUnavailable) as error:
                failed = history.ChildFailed(action.id, FailureDetails.of(error))
                self._spawn(self._deliver(instance, failed, execution_id=started.execution_id))
        elif isinstance(action, history.EventSent) and action.instance_id in self._instances:
            self._spawn(self.raise_event(action.instance_id, action.name, action.input))

    async def _run_activity(
        self, instance: Instance, execution_id: str, scheduled: history.TaskScheduled
    ) -> None:
        call = f"{execution_id}:{scheduled.first_id}"
        task = ActivityTask(instance.id, scheduled.id, scheduled.name, scheduled.input, call)
        result = await self._executor.run_activity(task)
        if result.failure is not None:
            event: history.HistoryEvent = history.TaskFailed(scheduled.id, result.failure)
        else:
            event = history.TaskCompleted(scheduled.id, result.output)
        await self._deliver(instance, event, execution_id=execution_id)

    def _close(self, instance: Instance, completion: history.ExecutionCompleted) -> None:
        instance.closed.set()
        ended = instance.journal.history[-2]
        if isinstance(ended, history.ExecutionTerminated) and ended.recursive:
            for child in instance.journal.children.values():
                self._spawn(self.terminate(child.instance_id))
        link = instance.parent
        if link is not None and link.instance_id in self._instances:
            child = history.ChildCreated(link.task_id, "", instance.id, None)
            parent, result = self._instances[link.instance_id], result_of(child, completion)
            self._spawn(self._deliver(parent, result, execution_id=link.execution_id))

    def _set_alarm(self, instance: Instance, when: int | None) -> None:
        if instance.alarm is not None:
            instance.alarm.cancel()
        execution_id = instance.started.execution_id

        def ring() -> None:
            # A clock may ring early for a far time: then nothing is due, and it is set again.
            due = instance.journal.due_timers(self._clock.now())
            self._spawn(self._deliver(instance, *due, execution_id=execution_id))
            if not due:
                self._set_alarm(instance, when)

        instance.alarm = self._clock.call_at(when, ring) if when is not None else None

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
