"""How much of request bodies is held in memory at once."""

from __future__ import annotations

import asyncio

RESERVED = "flowyard.reserved"
"""In the scope of a request: how much it has taken of the budget."""

_LEAST = 64 * 1024 * 1024


class BodyBudget:
    """Bytes that large bodies share. Who finds too few left waits, in the order of coming."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @staticmethod
    def of(max_body: int) -> BodyBudget:
        """Return one in which a body of the largest size has room, and smaller ones together."""
        return BodyBudget(max(_LEAST, max_body))

    async def take(self, size: int) -> None:
        """Take so many bytes, at most the total, once they are free."""
        async with self._turn:
            while self._used and self._used + size > self._total:
                self._freed.clear()
                await self._freed.wait()
            self._used += size

    def give(self, size: int) -> None:
        """Give them back."""
        self._used -= size
        self._freed.set()
