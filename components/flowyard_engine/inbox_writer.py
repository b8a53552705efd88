"""Stores what has come for instances whose next turn is not written soon: nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flowyard_engine import commits
from flowyard_engine.instance import Instance
from flowyard_engine.store import Commit, Outcome, Store


class InboxWriter:
    """Writes messages for what is in an instance's inbox, and answers who waits for that."""

    def __init__(
        self,
        store: Store,
        saved: Callable[[Instance], None],
        lose: Callable[[Instance, Outcome], None],
    ) -> None:
        self._store = store
        self._saved = saved
        self._lose = lose
        self._loop = asyncio.get_running_loop()
        self._saving: set[Instance] = set()

    def __bool__(self) -> bool:
        return bool(self._saving)

    def save(self, instance: Instance) -> None:
        """Have what is unsaved stored; for what comes meanwhile, call it again."""
        if instance.saving is None:
            if instance.unsaved:
                self._write(instance, commits.of_inbox(instance))
            else:
                self._saved(instance)

    async def settled(self, instance: Instance) -> None:
        """Return once nothing of the instance's inbox is being stored."""
        while instance.saving is not None:
            # Shielded: who waits may be cancelled, and others wait too.
            await asyncio.shield(instance.saving)

    def _write(self, instance: Instance, commit: Commit) -> None:
        entries, instance.unsaved = instance.unsaved, []
        saving = instance.saving = self._loop.create_future()
        self._saving.add(instance)

        def done(outcome: Outcome) -> None:
            instance.saving = None
            self._saving.discard(instance)
            saving.set_result(None)
            if outcome.error is not None or outcome.taken is not None:
                instance.unsaved = entries + instance.unsaved
                self._lose(instance, outcome)
                return
            commits.note_saved(instance, entries, commit)
            self._saved(instance)

        self._store.submit(commit, done)
