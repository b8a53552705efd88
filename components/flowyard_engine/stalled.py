"""Instances whose code does not fit their history: they wait until code has come that may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flowyard.backend import Executor, watch
from flowyard_engine.background_tasks import Errands
from flowyard_engine.instance import Instance
from flowyard_engine.instance_cache import Roster
from flowyard_engine.recovery import Recovery
from flowyard_engine.store import Store

# So many are tried again at once, then live work has its turn: a worker that comes again and again
# and fits none of them must not slow the others down.
_MOST_AT_ONCE = 20
_PAUSE_SECONDS = 0.1


class Stalled:
    """Takes stalled instances up again when more code has come."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        roster: Roster,
        recovery: Recovery,
        errands: Errands,
        resume: Callable[[Instance], None],
    ) -> None:
        self._store = store
        self._executor = executor
        self._roster = roster
        self._recovery = recovery
        self._errands = errands
        self._resume = resume
        self.changes = 0
        """How often code has come. A turn notes it, for code may come while it is under way."""
        self._is_retrying = False
        self.close: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Look out for more code, until `close` is called."""
        self.close = watch(self._executor, self._retry_all)

    def retry(self, instance: Instance) -> None:
        """Run the turn of an instance in memory again."""
        if instance.is_stalled:
            instance.is_stalled = instance.saves = False
            self._resume(instance)

    def _retry_all(self) -> None:
        self.changes += 1
        if not self._is_retrying:
            self._is_retrying = True
            self._errands.run(self._retry())

    async def _retry(self) -> None:
        try:
            tried = -1
            while tried != self.changes:
                tried = self.changes
                for count, instance_id in enumerate(await self._store.stalled(), start=1):
                    if (instance := self._roster.get(instance_id)) is not None:
                        self.retry(instance)
                    else:
                        await self._recovery.load(instance_id)
                    if count % _MOST_AT_ONCE == 0:
                        await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._is_retrying = False
