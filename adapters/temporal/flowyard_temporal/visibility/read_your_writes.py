"""What this process has just done to instances, which visibility may not show yet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from flowyard.backend import InstanceNotFound
from flowyard_temporal.instances import Instances
from flowyard_temporal.visibility.search import Visibility, is_quotable, one_of

# How long visibility may lag behind, and how long a listing waits for it, in seconds.
_LAG = 5.0
_PATIENCE_SECONDS = 2.0
# How many instances are remembered: as many as a single query may name.
_MOST = 200


class RecentChanges:
    """Lets a listing show what was acknowledged before it was asked for.

    Visibility is written some 50 to 250 ms after the event. What other processes do, and all but
    the latest of very many changes, is not waited for.
    """

    def __init__(self, instances: Instances, visibility: Visibility) -> None:
        self._instances = instances
        self._visibility = visibility
        self._changed: dict[str, float] = {}

    def note(self, instance_id: str) -> None:
        """Remember that an instance was started, or that its status has changed."""
        if not is_quotable(instance_id):
            return
        # Anew, so that the oldest are the first.
        self._changed.pop(instance_id, None)
        self._changed[instance_id] = time.monotonic()
        if len(self._changed) > _MOST:
            del self._changed[next(iter(self._changed))]

    async def are_shown(self) -> None:
        """Return once visibility shows them, or when it takes too long."""
        now = time.monotonic()
        self._changed = {one: when for one, when in self._changed.items() if now - when < _LAG}
        delay = 0.05
        while self._changed:
            for instance_id in await self._shown(list(self._changed)):
                self._changed.pop(instance_id, None)
            if not self._changed or time.monotonic() - now > _PATIENCE_SECONDS:
                return
            await asyncio.sleep(delay)
            delay *= 1.5

    async def _shown(self, changed: Collection[str]) -> list[str]:
        """Return which of them visibility shows as they are."""
        are = await asyncio.gather(*(self._mark(run) for run in changed))
        found = await self._visibility.all(f"WorkflowId IN {one_of(changed)}")
        shown = {_mark_of(info) for info in found}
        return [
            one for one, mark in zip(changed, are, strict=True) if mark is None or mark in shown
        ]

    async def _mark(self, instance_id: str) -> tuple[str, int] | None:
        try:
            return _mark_of((await self._instances.describe(instance_id)).workflow_execution_info)
        except InstanceNotFound:
            return None


def _mark_of(info: WorkflowExecutionInfo) -> tuple[str, int]:
    return info.execution.run_id, info.status
