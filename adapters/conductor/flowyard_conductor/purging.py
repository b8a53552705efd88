"""Purges: closed instances are removed, with their children."""

from __future__ import annotations

from flowyard.backend import InstanceNotClosed, InstanceNotFound
from flowyard_conductor.hosted.management import Hosted
from flowyard_conductor.instances import Found, Instances
from flowyard_conductor.native.management import Natives
from flowyard_conductor.native.states import STATUSES
from flowyard_conductor.removal import Removal


class Purging:
    """Removes instances and all that they have started."""

    def __init__(
        self, instances: Instances, hosted: Hosted, natives: Natives, removal: Removal
    ) -> None:
        self._instances = instances
        self._hosted = hosted
        self._natives = natives
        self._removal = removal

    async def purge(self, instance_id: str, *, recursive: bool) -> int:
        """Remove the instance, and return how many instances were; see `WorkflowComponent`."""
        # Of an ID that was used again, every run.
        runs = await self._instances.runs(instance_id)
        # The search may show for a while what was removed.
        family = [run for run in runs if await self._instances.is_there(run.workflow_id)]
        if not family:
            raise InstanceNotFound(instance_id)
        known = {run.workflow_id for run in family}
        # The list grows while it is gone through.
        for member in family:
            if member.is_active:
                raise InstanceNotClosed(member.instance_id, STATUSES[member.status])
            for child in await self._children(member) if recursive else ():
                if child.workflow_id not in known:
                    known.add(child.workflow_id)
                    family.append(child)
        for member in reversed(family):
            await self._removal.remove(member)
        return len({member.instance_id for member in family})

    async def _children(self, member: Found) -> list[Found]:
        keeper = self._natives if member.workflow is None else self._hosted
        return await keeper.children(member)
