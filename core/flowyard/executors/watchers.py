"""Who is told that code may have come, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_AT_ONCE = 5
_SECONDS_EACH = 10.0


class Watchers:
    """Tells of workers that connect: of five at once, and then every ten seconds.

    A worker that comes again and again must not have everything that waits tried each time.
    """

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []
        self._left = float(_AT_ONCE)
        self._counted_at: float | None = None
        self._next: asyncio.TimerHandle | None = None

    def add(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have it called; returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def tell(self) -> None:
        """Call back now, or once it may be."""
        if self._next is not None:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._counted_at is not None:
            self._left = min(self._left + (now - self._counted_at) / _SECONDS_EACH, _AT_ONCE)
        self._counted_at = now
        if self._left < 1:
            self._next = loop.call_later((1 - self._left) * _SECONDS_EACH, self._tell_late)
            return
        self._left -= 1
        for callback in list(self._callbacks):
            callback()

    def _tell_late(self) -> None:
        self._next = None
        # Exactly due, whatever the rounding.
        self._left = max(self._left, 1.0)
        self.tell()
