"""Hosted instances: the app's workflows, kept and delivered by the server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from flowyard.backend import (
    BackendUnavailable,
    Clock,
    EventRaised,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    Executor,
    HistoryEvent,
    InstanceNotFound,
    StartRequest,
    WorkflowState,
    WorkflowStatus,
    new_uuid,
    obstacle,
    to_microseconds,
)
from flowyard_conductor.api.id_locks import IdLocks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.children import Children
from flowyard_conductor.hosted.delivery import Delivery
from flowyard_conductor.hosted.inbox import Inbox, is_terminated_by
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.instance_starts import InstanceStarts
from flowyard_conductor.hosted.states import state_of
from flowyard_conductor.hosted.wakeups import Wakeups
from flowyard_conductor.instances import ACTIVE, Found, Instances
from flowyard_conductor.native.management import Natives
from flowyard_conductor.native.states import STATUSES

# How long an instance of this process is trusted to be here, in seconds.
_LONGEST_WAIT_SECONDS = 5.0
# How long a termination may take while its caller waits, in seconds.
_LONGEST_END_SECONDS = 2.0


class Hosted:
    """Starts and steers hosted instances."""

    def __init__(
        self,
        instances: Instances,
        id_locks: IdLocks,
        natives: Natives,
        inbox: Inbox,
        cache: InstanceCache,
        wakeups: Wakeups,
        delivery: Delivery,
        children: Children,
        instance_starts: InstanceStarts,
        executor: Executor | None,
        clock: Clock,
    ) -> None:
        self._instances = instances
        self._id_locks = id_locks
        self._natives = natives
        self._inbox = inbox
        self._cache = cache
        self._wakeups = wakeups
        self._delivery = delivery
        self._children = children
        self._instance_starts = instance_starts
        self._executor = executor
        self._clock = clock

    async def start(self, request: StartRequest) -> str:
        """Start an instance under a locked ID, and return the ID of its workflow."""
        start_at = to_microseconds(request.start_at) if request.start_at is not None else None
        started = ExecutionStarted(
            request.workflow, request.input, new_uuid().hex, start_at=start_at
        )
        return await self._instance_starts.start(request.instance_id, started)

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
        unread = [message for message in messages if message.key not in instance.messages]
        suspended = instance.is_suspended_after(unread)
        state = state_of(workflow, instance, suspended, now, payloads=payloads)
        if state.detail is None and state.status is WorkflowStatus.RUNNING and self._executor:
            return replace(state, detail=obstacle(self._executor, found.instance_id))
        return state

    async def wait(self, instance_id: str) -> WorkflowState | None:
        """Return the state of an instance of this process once it has closed; None if unsure."""
        instance = self._cache.of_instance(instance_id)
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
        await self._delivery.deliver(found.workflow_id, EventRaised(name, data))
        return True

    async def terminate(self, found: Found, *, output: str | None, recursive: bool) -> bool:
        """Have the next turn end the instance, let it come at once, and wait a while for it."""
        async with self._id_locks.hold(found.instance_id):
            active, _, ends = await self._progress(found)
            if not active or ends:
                return False
            terminated = ExecutionTerminated(output, recursive)
            await self._inbox.post(found.workflow_id, terminated)
        await self._wakeups.wake(found.workflow_id, ends=True)
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
        await self._wakeups.wake(found.workflow_id, pauses=True)
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
        await self._wakeups.wake(found.workflow_id)
        return True

    async def history(self, found: Found) -> Sequence[HistoryEvent]:
        """Return the history of the current execution."""
        return HostedInstance.of(await self._instances.read(found, tasks=True)).journal.history

    async def children(self, found: Found) -> list[Found]:
        """Return the instances that this one has started, as far as they are still its own."""
        instance = HostedInstance.of(await self._instances.read(found, tasks=True))
        return await self._children.of(instance)

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
        unread = [message for message in messages if message.key not in instance.messages]
        ends = is_terminated_by(unread) or instance.journal.completion is not None
        return True, instance.is_suspended_after(unread), ends
