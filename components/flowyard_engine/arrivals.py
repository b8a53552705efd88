"""What other processes have left in the store for instances that run here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from flowyard.backend import Clock
from flowyard_engine.background_tasks import EngineTasks
from flowyard_engine.recovery import Recovery
from flowyard_engine.store import Message, Store
from flowyard_engine.timers import Timers

# How long after a write of another process more of them are expected. Then what comes directly
# waits for a look: it must not overtake what the other process was told to be stored.
_SHARED_SECONDS = 60.0


class Arrivals:
    """Looks at what is new in the store, however often it is told to: one look at a time."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        timers: Timers,
        recovery: Recovery,
        background: EngineTasks,
        hand_over: Callable[[Message], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._timers = timers
        self._recovery = recovery
        self._background = background
        self._hand_over = hand_over
        self._loop = asyncio.get_running_loop()
        self._seen = 0
        self._shared_until = 0.0
        self._begun = self._ended = 0
        """How many looks there have been."""
        self._is_looking = self._is_wanted = False
        self._consumed: set[int] = set()
        """What was taken up and deleted while a look was under way, which may still show it."""

    def begin(self, seen: int) -> None:
        """Begin after the newest message that has been taken up already."""
        self._seen = seen

    def foreign_write(self) -> None:
        """Another process has written: take up what it left, and look often for a while."""
        self._shared_until = self._loop.time() + _SHARED_SECONDS
        self.look()

    def look(self) -> None:
        """Take up what has been written since the last look."""
        self._is_wanted = True
        if not self._is_looking:
            self._is_looking = True
            self._background.run(self._look())

    async def settled(self) -> None:
        """Return once what was stored before is handed over, as far as anybody could know of it."""
        if self._loop.time() < self._shared_until:
            self.look()
        # A look that has begun may have read already; however many follow, the next one will do.
        needed = self._begun + self._is_wanted
        while self._is_looking and self._ended < needed:
            await self._background.progress()

    def consumed(self, message_ids: Sequence[int]) -> None:
        """Note that stored messages were taken up and deleted."""
        if self._is_looking:
            self._consumed.update(message_ids)

    async def _look(self) -> None:
        try:
            while self._is_wanted:
                self._is_wanted = False
                self._begun += 1
                self._consumed.clear()
                arrived = await self._store.arrived(self._seen)
                for message in arrived.messages:
                    self._seen = message.id
                    if message.due_at > self._clock.now():
                        self._timers.on_disk(message.due_at)
                    elif message.id not in self._consumed:
                        self._hand_over(message)
                for instance_id in arrived.copies:
                    await self._recovery.load(instance_id)
                self._ended = self._begun
                self._background.notice()
        finally:
            self._is_looking = False
            self._consumed.clear()
