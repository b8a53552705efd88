"""Instances whose code does not fit their history: they wait until code has come that may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flowyard.backend import Executor, FailureDetails, watch
from flowyard_engine import commits
from flowyard_engine.background_tasks import EngineTasks
from flowyard_engine.instance import Batch, Entry, Instance
from flowyard_engine.instance_cache import InstanceCache
from flowyard_engine.recovery import Recovery
from flowyard_engine.store import Commit, Store

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
        cache: InstanceCache,
        recovery: Recovery,
        background: EngineTasks,
        resume: Callable[[Instance], None],
    ) -> None:
        self._store = store
        self._executor = executor
        self._cache = cache
        self._recovery = recovery
        self._background = background
        self._resume = resume
        self.changes = 0
        """How often code has come. A turn notes it, for code may come while it is under way."""
        self._is_retrying = False
        self.close: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Look out for more code, until `close` is called."""
        self.close = watch(self._executor, self._retry_all)

    def take_back(
        self, instance: Instance, failure: FailureDetails, batch: Batch
    ) -> tuple[Commit | None, list[Entry]]:
        """Undo a turn that no code fits; return what is to be committed, and what that stores."""
        self._executor.forget(instance.record.id)
        instance.take_back(batch)
        instance.save_from_now_on()
        commit = commits.of_stall(instance, failure)
        entries, instance.unsaved = instance.unsaved, []
        # What comes meanwhile is stored afterwards: if this is refused, so is that.
        instance.saves = False
        return commit, entries

    def rest(self, instance: Instance) -> None:
        """Let an instance be stalled, unless code has come meanwhile, which may fit."""
        instance.save_from_now_on()
        instance.is_stalled = True
        if instance.changes != self.changes:
            self.retry(instance)
        else:
            self._resume(instance)

    def retry(self, instance: Instance) -> None:
        """Run the turn of an instance in memory again."""
        if instance.is_stalled:
            instance.is_stalled = instance.saves = False
            self._resume(instance)

    def _retry_all(self) -> None:
        self.changes += 1
        if not self._is_retrying:
            self._is_retrying = True
            self._background.run(self._retry())

    async def _retry(self) -> None:
        try:
            tried = -1
            while tried != self.changes:
                tried = self.changes
                for count, instance_id in enumerate(await self._store.stalled(), start=1):
                    if (instance := self._cache.get(instance_id)) is not None:
                        self.retry(instance)
                    else:
                        await self._recovery.load(instance_id)
                    if count % _MOST_AT_ONCE == 0:
                        await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._is_retrying = False
