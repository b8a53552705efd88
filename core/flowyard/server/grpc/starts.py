"""Waits for instances to start, which no component tells of."""

from __future__ import annotations

import asyncio

from flowyard.backend.backoff import Backoff
from flowyard.errors import InstanceNotFound
from flowyard.models import WorkflowStatus
from flowyard.runtime import Runtime

# Looks go through what all calls go through: many who wait must not keep others waiting.
_LOOKS_AT_ONCE = 4
_FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS = 0.02, 10.0


class Starts:
    """Wakes those who wait when something has come that may be the start; looks rarely else."""

    def __init__(self, runtime: Runtime, component: str | None) -> None:
        self._runtime = runtime
        self._component = component
        self._looks = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self._waiting: dict[str, list[asyncio.Event]] = {}

    async def wait(self, instance_id: str) -> None:
        """Return once the instance is there and not PENDING, however long that takes."""
        woken = asyncio.Event()
        waiting = self._waiting.setdefault(instance_id, [])
        waiting.append(woken)
        backoff = Backoff(_FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS)
        try:
            while not await self._has_started(instance_id):
                try:
                    await asyncio.wait_for(woken.wait(), backoff.seconds)
                except TimeoutError:
                    backoff.grow()
                else:
                    woken.clear()
                    # What was heard of may be written only in a moment.
                    backoff.reset()
        finally:
            waiting.remove(woken)
            if not waiting:
                self._waiting.pop(instance_id, None)

    def note(self, instance_id: str) -> None:
        """Note that an instance was asked for, or that a worker has run a turn of it."""
        for woken in self._waiting.get(instance_id, ()):
            woken.set()

    async def _has_started(self, instance_id: str) -> bool:
        async with self._looks:
            try:
                state = await self._runtime.get(
                    instance_id, payloads=False, component=self._component
                )
            except InstanceNotFound:
                return False
        return state.status is not WorkflowStatus.PENDING
