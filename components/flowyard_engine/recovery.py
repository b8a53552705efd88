"""Taking up instances that are not in memory: after a restart, when due, after a failed write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from flowyard.backend import Clock
from flowyard_engine.instance import Instance
from flowyard_engine.instance_cache import InstanceCache
from flowyard_engine.store import LeaseLost, Store
from flowyard_engine.timers import Timers

# After a write that failed, the instance is read again; the disk may need a moment.
_RELOAD_SECONDS = 1.0


class Recovery:
    """One instance that cannot be read does not stop the others."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        timers: Timers,
        cache: InstanceCache,
        logger: logging.Logger,
        take_up: Callable[..., Awaitable[None]],
        resume: Callable[[Instance], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._timers = timers
        self._cache = cache
        self._logger = logger
        self._take_up = take_up
        self._resume = resume

    async def load_all(self, instance_ids: list[str]) -> None:
        """Take up what the last owner left unfinished."""
        if instance_ids:
            self._logger.info("taking up %d unfinished instances", len(instance_ids))
        for instance_id in instance_ids:
            await self.load(instance_id)

    async def load_due(self) -> None:
        """Take up timers and delayed starts that are due, of instances in memory or not."""
        now = self._clock.now()
        due, next_due = await self._store.due(now)
        if next_due is not None:
            self._timers.on_disk(next_due)
        for instance_id in due:
            instance = self._cache.get(instance_id)
            if instance is None:
                await self.load(instance_id)
            elif instance.later:
                instance.put_due(now)
                self._resume(instance)

    async def reload(self, instance_id: str) -> None:
        """Read an instance again, until it can be."""
        is_loaded = False
        while not is_loaded:
            await asyncio.sleep(_RELOAD_SECONDS)
            is_loaded = await self.load(instance_id)

    async def load(self, instance_id: str) -> bool:
        """Take up an instance; False if it cannot be read."""
        try:
            await self._take_up(instance_id)
        except LeaseLost:
            raise
        except Exception:
            self._logger.exception(
                "instance '%s' cannot be read; its workflow stands still", instance_id
            )
            return False
        return True
