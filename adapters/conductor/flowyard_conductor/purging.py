"""Purges: closed instances, with their children and all that Conductor keeps of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

from flowyard.backend import BackendUnavailable, InstanceNotClosed, InstanceNotFound
from flowyard_conductor.instances import Found, Instances
from flowyard_conductor.native.states import STATUSES

Relatives: TypeAlias = Callable[[Found], Awaitable[Sequence[Found]]]

_SETTLES_SECONDS = 10.0


class Purging:
    """Removes instances. `children` are instances, `belongings` what else there is of one."""

    def __init__(
        self,
        instances: Instances,
        children: Relatives,
        belongings: Relatives,
        tell_parent: Callable[[Found], Awaitable[None]],
    ) -> None:
        self._tell_parent = tell_parent
        self._instances = instances
        self._children = children
        self._belongings = belongings

    async def purge(self, instance_id: str, *, recursive: bool) -> int:
        """Remove the instance, and return how many instances were; see `WorkflowComponent`."""
        # Of an ID that was used again, every run.
        family = list(await self._instances.runs(instance_id))
        if not family:
            raise InstanceNotFound(instance_id)
        known = {one.workflow_id for one in family}
        # The list grows while it is gone through.
        for member in family:
            if member.is_active:
                raise InstanceNotClosed(member.instance_id, STATUSES[member.status])
            for child in await self._children(member) if recursive else ():
                if child.workflow_id not in known:
                    known.add(child.workflow_id)
                    family.append(child)
        for member in reversed(family):
            await self.remove(member)
        return len({member.instance_id for member in family})

    async def remove(self, member: Found) -> None:
        """Remove one closed instance with its belongings."""
        # Nobody could learn afterwards how it has ended.
        with suppress(InstanceNotFound):
            await self._tell_parent(member)
        for belonging in await self._belongings(member):
            await self._remove(belonging)
        await self._remove(member)

    async def _remove(self, found: Found) -> None:
        await self._instances.connection.remove(found.workflow_id)
        await self._until_gone(found)

    async def _until_gone(self, found: Found) -> None:
        deadline = time.monotonic() + _SETTLES_SECONDS
        while True:
            try:
                await self._instances.read(found, tasks=False)
            except InstanceNotFound:
                return
            if time.monotonic() > deadline:
                raise BackendUnavailable(
                    f"{self._instances.connection.where}: workflow {found.workflow_id} of instance "
                    f"'{found.instance_id}' is still there although the server has removed it. "
                    "Purge it again."
                )
            await asyncio.sleep(0.05)
