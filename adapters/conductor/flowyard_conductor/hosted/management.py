"""Hosted instances: the app's workflows, kept and delivered by the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

from flowyard.backend import (
    BackendUnavailable,
    ChildCreated,
    ComponentContext,
    EventRaised,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    InstanceAlreadyExists,
    InstanceNotFound,
    InvalidRequest,
    StartRequest,
    TurnResult,
    UnsupportedOperation,
    WorkflowState,
    WorkflowStatus,
    encode_events,
    new_uuid,
    obstacle,
    result_for_parent,
    to_microseconds,
)
from flowyard_conductor.api.errors import Rejected
from flowyard_conductor.api.id_locks import IdLocks
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.hosted.cache import read_live
from flowyard_conductor.hosted.children import children_of, is_begun
from flowyard_conductor.hosted.definitions import FIRST, Definitions
from flowyard_conductor.hosted.inbox import Inbox, is_suspended_by, is_terminated_by
from flowyard_conductor.hosted.instance import HostedInstance, outcome_of, parent_of, state_of
from flowyard_conductor.hosted.records import LARGEST_INPUT, Record, packed, too_large
from flowyard_conductor.hosted.registrations import Registrations, has_code
from flowyard_conductor.hosted.side_workflows import SideWorkflows
from flowyard_conductor.hosted.wakeups import Wakeups
from flowyard_conductor.instances import ACTIVE, Found, Instances, Json
from flowyard_conductor.native.management import Natives
from flowyard_conductor.native.states import STATUSES
from flowyard_conductor.starting import Starts
from flowyard_conductor.worker.worker import Worker

# How long an instance of this process is trusted to be here, in seconds.
_LONGEST_WAIT_SECONDS = 5.0
# How long a termination may take while its caller waits, in seconds.
_LONGEST_END_SECONDS = 2.0


class Hosted:
    """Starts and steers hosted instances, and runs them where there is an app."""

    def __init__(
        self,
        instances: Instances,
        id_locks: IdLocks,
        starts: Starts,
        natives: Natives,
        context: ComponentContext,
    ) -> None:
        connection, names = instances.connection, instances.names
        self._instances = instances
        self._id_locks = id_locks
        self._starts = starts
        self._natives = natives
        self._executor = context.executor
        self._clock = context.clock
        self._definitions = Definitions(names, connection.settings.lease_seconds)
        self._inbox = Inbox(connection, names, self._definitions)
        self._side_workflows = SideWorkflows(connection, names, self._definitions)
        tasks = Tasks(connection)
        self._registrations = Registrations(connection, names)
        self._worker: Worker | None = None
        self._wakeups = Wakeups(tasks, names, partial(read_live, connection), lambda _: None)
        if context.executor is not None:
            self._worker = Worker(
                instances,
                tasks,
                self._inbox,
                self._side_workflows,
                context.executor,
                context.clock,
                context.logger,
                self._begin_child,
                self._send,
                self._tell,
                self._end_children,
            )
            self._wakeups = self._worker.wakeups

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run instances until the block is left, if there is an app."""
        if self._worker is None or self._executor is None:
            yield
            return
        await self._registrations.register(self._executor)
        async with self._worker.running():
            yield

    async def drain(self) -> None:
        """Begin no more activities, and wait for those that run."""
        if self._worker is not None:
            await self._worker.drain()

    async def is_run_by_others(self, workflow: str) -> bool:
        """Whether there has ever been a process on our task queue that runs this workflow."""
        return await self._registrations.has(workflow)

    async def start(self, request: StartRequest) -> str:
        """Start an instance under a locked ID, and return the ID of its workflow."""
        start_at = to_microseconds(request.start_at) if request.start_at is not None else None
        started = ExecutionStarted(
            request.workflow, request.input, new_uuid().hex, start_at=start_at
        )
        return await self._begin(request.instance_id, started, None)

    async def state(self, found: Found, *, payloads: bool) -> WorkflowState:
        """Return the state as it is now, with messages that no turn has taken."""
        now = self._clock.now()
        if not found.is_active:
            workflow = await self._instances.read(found, tasks=False)
            if workflow["status"] not in ACTIVE:
                return state_of(workflow, None, None, now, payloads=payloads)
        # In this order: what is taken meanwhile is then in the workflow.
        messages = await self._inbox.messages(found.workflow_id)
        workflow = await self._instances.read(found, tasks=True)
        if workflow["status"] not in ACTIVE:
            return state_of(workflow, None, None, now, payloads=payloads)
        instance = HostedInstance.of(workflow)
        unread = [one for one in messages if one.key not in instance.messages]
        suspended = is_suspended_by(unread, instance.journal.suspended)
        state = state_of(workflow, instance, suspended, now, payloads=payloads)
        if state.detail is None and state.status is WorkflowStatus.RUNNING and self._executor:
            return replace(state, detail=obstacle(self._executor, found.instance_id))
        return state

    async def wait(self, instance_id: str) -> WorkflowState | None:
        """Return the state of an instance of this process once it has closed; None if unsure."""
        instance = self._worker.find(instance_id) if self._worker is not None else None
        if instance is None:
            return None
        try:
            async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
                await instance.closed.wait()
        except TimeoutError:
            return None
        name = self._instances.names.definition(instance.started.workflow)
        found = Found(instance_id, instance.workflow_id, name, "", instance.started.workflow)
        workflow = await self._instances.read(found, tasks=False)
        if workflow["status"] in ACTIVE:
            return None
        return state_of(workflow, None, None, self._clock.now(), payloads=True)

    async def raise_event(self, found: Found, name: str, data: str | None) -> bool:
        """Make an event durable, and have a turn look."""
        if not found.is_active:
            return False
        await self._post(found, EventRaised(name, data))
        return True

    async def terminate(self, found: Found, *, output: str | None, recursive: bool) -> bool:
        """Have the next turn end the instance, let it come at once, and wait a while for it."""
        async with self._id_locks.hold(found.instance_id):
            active, _, ends = await self._progress(found)
            if not active or ends:
                return False
            terminated = ExecutionTerminated(output, recursive)
            await self._inbox.post(found.workflow_id, terminated)
        await self._wake(found, ends=True)
        # It is durable; without a process that runs the instance, it takes effect later.
        with suppress(TimeoutError, BackendUnavailable, InstanceNotFound):
            async with asyncio.timeout(_LONGEST_END_SECONDS):
                return await self._ends_terminated(found)
        return True

    async def pause(self, found: Found, reason: str | None) -> bool:
        """Let no further turn run code."""
        async with self._id_locks.hold(found.instance_id):
            active, suspended, ends = await self._progress(found)
            if not active or suspended or ends:
                return False
            await self._inbox.post(found.workflow_id, ExecutionSuspended(reason))
        # A worker may have a turn for as long as it likes; the lock is not held meanwhile.
        await self._wake(found, pauses=True)
        return True

    async def resume(self, found: Found, reason: str | None) -> bool:
        """Let turns run code again; also where somebody has paused the workflow in Conductor."""
        if found.status == "PAUSED":
            return await self._natives.resume(found)
        async with self._id_locks.hold(found.instance_id):
            active, suspended, ends = await self._progress(found)
            if not active or not suspended or ends:
                return False
            await self._inbox.post(found.workflow_id, ExecutionResumed(reason))
        await self._wake(found)
        return True

    async def history(self, found: Found) -> Sequence[HistoryEvent]:
        """Return the history of the current execution."""
        return HostedInstance.of(await self._instances.read(found, tasks=True)).journal.history

    async def children(self, found: Found) -> list[Found]:
        """Return the instances that this one has started, as far as they are still its own."""
        instance = HostedInstance.of(await self._instances.read(found, tasks=True))
        return await children_of(self._instances, instance, lambda _: True)

    async def tell_parent(self, found: Found) -> None:
        """Have the parent of a closed instance learn of its end before it is removed."""
        if found.workflow is None:
            return
        workflow = await self._instances.read(found, tasks=False)
        parent_id, link = parent_of(workflow)
        if parent_id is None or link is None:
            return
        try:
            parent = await self._instances.connection.get(
                f"/workflow/{parent_id}", includeTasks=False
            )
        except Rejected as refusal:
            if refusal.is_not_found:
                return
            raise
        if parent["status"] in ACTIVE:
            result = result_for_parent(link, found.instance_id, outcome_of(workflow).completion)
            await self._tell(parent_id, result, found.workflow_id, link.execution_id)

    async def belongings(self, found: Found) -> list[Found]:
        """Return the workflows that carry its messages, and that ran beside it."""
        messages = await self._inbox.workflows(found.workflow_id)
        side_workflows = await self._side_workflows.workflows(found.workflow_id)
        return [
            Found(found.instance_id, one["workflowId"], one["workflowName"], one["status"], None)
            for one in (*messages, *side_workflows)
        ]

    async def _ends_terminated(self, found: Found) -> bool:
        """Wait until an instance has closed; False if it had come to an end of its own before."""
        delay = 0.02
        while (workflow := await self._instances.read(found, tasks=False))["status"] in ACTIVE:
            await asyncio.sleep(delay)
            delay *= 1.5
        return STATUSES[workflow["status"]] is WorkflowStatus.TERMINATED

    async def _progress(self, found: Found) -> tuple[bool, bool, bool]:
        """Return whether an instance is active, paused, and about to be terminated."""
        messages = await self._inbox.messages(found.workflow_id)
        workflow = await self._instances.read(found, tasks=True)
        if workflow["status"] not in ACTIVE:
            return False, False, False
        instance = HostedInstance.of(workflow)
        unread = [one for one in messages if one.key not in instance.messages]
        ends = is_terminated_by(unread) or instance.journal.completion is not None
        return True, is_suspended_by(unread, instance.journal.suspended), ends

    async def _post(
        self,
        found: Found,
        event: HistoryEvent,
        *,
        key: str | None = None,
        ends: bool = False,
    ) -> None:
        await self._inbox.post(found.workflow_id, event, key=key)
        await self._wake(found, ends=ends)

    async def _wake(self, found: Found, *, ends: bool = False, pauses: bool = False) -> None:
        await self._wakeups.wake(
            found.workflow_id, self._find(found.workflow_id), ends=ends, pauses=pauses
        )

    def _find(self, workflow_id: str) -> HostedInstance | None:
        return self._worker.cache.find(workflow_id) if self._worker is not None else None

    async def _begin(
        self, instance_id: str, started: ExecutionStarted, parent_workflow_id: str | None
    ) -> str:
        """Start the workflow of an instance, with its first turn if the code is here."""
        given: Json = {"started": packed(encode_events([started]).decode())}
        if parent_workflow_id is not None:
            given["parentWorkflowId"] = parent_workflow_id
        instance = HostedInstance("", instance_id, given, self._clock.now() // 1000)
        first = self._first(instance, started)
        if first is not None:
            given[FIRST] = first.to_output()
        if (excess := too_large(given, LARGEST_INPUT)) is not None:
            if self._executor is not None:
                self._executor.forget(instance_id)
            raise InvalidRequest(f"instance '{instance_id}' cannot be started: {excess.message}")
        names = self._instances.names
        body: Json = {
            "name": names.definition(started.workflow),
            "version": 1,
            "workflowDef": self._definitions.instance(started.workflow),
            "correlationId": instance_id,
            "input": given,
        }
        connection = self._instances.connection
        if first is None or self._worker is None:
            workflow_id = str(await connection.post("/workflow", body))
        else:
            async with self._worker.cache.starting(instance):
                try:
                    instance.workflow_id = workflow_id = str(
                        await connection.post("/workflow", body)
                    )
                except BaseException:
                    self._worker.cache.drop(instance)
                    raise
                instance.note(first, 0)
                if first.backlog is not None:
                    instance.pending_execution = started.execution_id
                    instance.begin((), first.backlog)
                self._worker.cache.add(instance)
        if self._worker is not None:
            self._worker.nudge(first)
        return workflow_id

    def _first(self, instance: HostedInstance, started: ExecutionStarted) -> Record | None:
        """Take the first turn before there is anything: it is committed with the start."""
        if (
            self._worker is None
            or self._executor is None
            or started.start_at is not None
            or not has_code(self._executor, started.workflow)
        ):
            return None
        instance.journal.admit(started)
        turn = instance.journal.turn(self._clock.now(), [started])
        result = self._executor.run_turn(turn)
        assert isinstance(result, TurnResult)  # noqa: S101  # the code is local
        if result.stalled is not None:
            return None
        return self._worker.turns.record(instance, turn, result, 0)

    async def _end_children(self, instance: HostedInstance) -> None:
        """End the active children of an instance that is terminated."""
        for child in await children_of(self._instances, instance, lambda run: run.is_active):
            key = f"{instance.workflow_id}:end"
            await self._post(child, ExecutionTerminated(), key=key, ends=True)

    async def _begin_child(
        self, instance: HostedInstance, started: ExecutionStarted, child: ChildCreated
    ) -> None:
        """Start a child, unless the turn that wanted it was done before."""
        parent_workflow_id = None if child.detached else instance.workflow_id

        async def begin(request: StartRequest) -> str:
            return await self._begin(request.instance_id, started, parent_workflow_id)

        try:
            if instance.is_redone and await is_begun(
                self._instances, self._inbox, instance, started, child
            ):
                return
            await self._starts.start(
                StartRequest(child.name, child.instance_id, child.input), begin
            )
        except InstanceAlreadyExists:
            if not await is_begun(self._instances, self._inbox, instance, started, child):
                raise

    async def _send(self, instance_id: str, event: EventRaised, key: str) -> None:
        """Send an event of one instance to another, if there is one that can take it."""
        try:
            found = await self._instances.find(instance_id)
        except (InstanceNotFound, InvalidRequest):
            return
        if not found.is_active:
            return
        if found.workflow is not None:
            await self._post(found, event, key=key)
            return
        try:
            await self._natives.raise_event(found, event.name, event.input)
        except (InstanceNotFound, InvalidRequest, UnsupportedOperation):
            # Nobody waits for it there, and a sender is told of nothing.
            return

    async def _tell(
        self, workflow_id: str, event: HistoryEvent, key: str, execution_id: str
    ) -> None:
        """Tell an execution of a parent how its child has ended."""
        await self._inbox.post(workflow_id, event, key=key, execution_id=execution_id)
        await self._wakeups.wake(workflow_id, self._find(workflow_id))
