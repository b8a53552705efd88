"""The removal of closed instances, with all that Conductor keeps of them."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from flowyard.backend import BackendUnavailable, InstanceNotFound
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.parents import Parents
from flowyard_conductor.hosted.side_workflows import SideWorkflows
from flowyard_conductor.instances import Found, Instances

_SETTLES_SECONDS = 10.0


class Removal:
    """Removes instances, one by one."""

    def __init__(
        self, instances: Instances, parents: Parents, inbox: Inbox, side_workflows: SideWorkflows
    ) -> None:
        self._instances = instances
        self._parents = parents
        self._inbox = inbox
        self._side_workflows = side_workflows

    async def remove(self, found: Found) -> None:
        """Remove a closed instance, its messages, and what ran beside it."""
        if found.workflow is not None:
            # Nobody could learn afterwards how it has ended.
            with suppress(InstanceNotFound):
                await self._parents.tell_of(found)
            messages = await self._inbox.workflows(found.workflow_id)
            side_workflows = await self._side_workflows.workflows(found.workflow_id)
            for belonging in (*messages, *side_workflows):
                await self._remove(belonging["workflowId"], found.instance_id)
        await self._remove(found.workflow_id, found.instance_id)

    async def _remove(self, workflow_id: str, instance_id: str) -> None:
        await self._instances.connection.remove(workflow_id)
        deadline = time.monotonic() + _SETTLES_SECONDS
        while await self._instances.is_there(workflow_id):
            if time.monotonic() > deadline:
                raise BackendUnavailable(
                    f"{self._instances.connection.where}: workflow {workflow_id} of instance "
                    f"'{instance_id}' is still there although the server has removed it. "
                    "Purge it again."
                )
            await asyncio.sleep(0.05)
