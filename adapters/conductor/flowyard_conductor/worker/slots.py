"""Slots: how many tasks of one type this process may do at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """Counts the tasks of one type that run; `on_free` is set when one more may, or none will."""

    def __init__(self, count: int, on_free: asyncio.Event) -> None:
        self._count = count
        self._on_free = on_free
        self._used = 0
        self._is_closed = False
        self._is_idle = asyncio.Event()
        """Set when nothing runs, once nothing more may begin."""

    @property
    def free(self) -> int:
        """How many more tasks may begin now."""
        return 0 if self._is_closed else self._count - self._used

    @property
    def is_closed(self) -> bool:
        """Whether nothing more may begin."""
        return self._is_closed

    def take(self) -> None:
        """Note that a task begins."""
        self._used += 1

    def release(self) -> None:
        """Note that a task has ended."""
        self._used -= 1
        if self.free == 1:
            self._on_free.set()
        self._look_if_idle()

    @contextmanager
    def lend(self) -> Iterator[None]:
        """Do one task less meanwhile: another poller has one of this kind."""
        self.take()
        try:
            yield
        finally:
            self.release()

    def close(self) -> None:
        """Let nothing more begin."""
        self._is_closed = True
        self._on_free.set()
        self._look_if_idle()

    async def idle(self) -> None:
        """Return once nothing runs."""
        await self._is_idle.wait()

    def _look_if_idle(self) -> None:
        if self._is_closed and not self._used:
            self._is_idle.set()
