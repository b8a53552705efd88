"""Which instances another one has started: their link to it decides, not their ID."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from flowyard.backend import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ExecutionStarted,
    ExecutionTerminated,
    InstanceAlreadyExists,
    InstanceNotFound,
    StartRequest,
)
from flowyard_conductor.hosted.delivery import Delivery
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.instance import HostedInstance, parent_of, started_of
from flowyard_conductor.hosted.instance_starts import InstanceStarts
from flowyard_conductor.instances import Found, Instances
from flowyard_conductor.starting import Starts

_AT_ONCE = 8


class Children:
    """Starts, finds and ends the children of instances."""

    def __init__(
        self,
        instances: Instances,
        inbox: Inbox,
        starts: Starts,
        instance_starts: InstanceStarts,
        delivery: Delivery,
    ) -> None:
        self._instances = instances
        self._inbox = inbox
        self._starts = starts
        self._instance_starts = instance_starts
        self._delivery = delivery

    async def start(
        self, parent: HostedInstance, started: ExecutionStarted, child: ChildCreated
    ) -> None:
        """Start a child, unless the turn that wanted it was done before."""
        parent_workflow_id = None if child.detached else parent.workflow_id

        async def begin(request: StartRequest) -> str:
            return await self._instance_starts.start(
                request.instance_id, started, parent_workflow_id
            )

        try:
            if parent.is_redone and await self._is_started(parent, started, child):
                return
            await self._starts.start(
                StartRequest(child.name, child.instance_id, child.input), begin
            )
        except InstanceAlreadyExists:
            if not await self._is_started(parent, started, child):
                raise

    async def end(self, parent: HostedInstance) -> None:
        """End the active children of an instance that is terminated."""
        for child in await self._of(parent, lambda run: run.is_active):
            await self._delivery.deliver(
                child.workflow_id,
                ExecutionTerminated(),
                key=f"{parent.workflow_id}:end",
                ends=True,
            )

    async def of(self, parent: HostedInstance) -> list[Found]:
        """Return the children of an instance, of all its executions, that are still its own."""
        return await self._of(parent, lambda _: True)

    async def _of(self, parent: HostedInstance, is_meant: Callable[[Found], bool]) -> list[Found]:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def own(child_id: str) -> list[Found]:
            async with slots:
                found: list[Found] = []
                for run in await self._instances.runs(child_id):
                    if run.workflow is not None and is_meant(run):
                        with suppress(InstanceNotFound):
                            workflow = await self._instances.read(run, tasks=False)
                            # The ID may be that of an instance which it has not started.
                            if parent_of(workflow)[0] == parent.workflow_id:
                                found.append(run)
                return found

        ids = dict.fromkeys(parent.children)
        return [run for runs in await asyncio.gather(*map(own, ids)) for run in runs]

    async def _is_started(
        self, parent: HostedInstance, started: ExecutionStarted, child: ChildCreated
    ) -> bool:
        """Whether this action has started its instance, which may have ended and be removed."""
        parent_workflow_id = None if child.detached else parent.workflow_id
        for run in await self._instances.runs(child.instance_id):
            if run.workflow is not None:
                workflow = await self._instances.read(run, tasks=False)
                its_parent, link = parent_of(workflow)
                if its_parent == parent_workflow_id and (
                    started_of(workflow["input"]).execution_id == started.execution_id
                    or (link is not None and link == started.parent)
                ):
                    return True
        link = started.parent
        # After the instances: who removes one has told its parent before.
        return link is not None and any(
            isinstance(message.event, (ChildCompleted, ChildFailed))
            and (message.event.task_id, message.execution_id) == (link.task_id, link.execution_id)
            for message in await self._inbox.messages(parent.workflow_id)
        )
