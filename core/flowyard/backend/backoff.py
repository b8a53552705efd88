"""Pauses between attempts, each longer than the one before."""

from __future__ import annotations

import asyncio


class Backoff:
    """Pauses between attempts, each longer than the one before.

    Args:
        first: The first pause, in seconds.
        longest: The longest one, in seconds.
        factor: The factor by which each one is longer than the one before; 1.5 by default.

    Example:
        ```python
        backoff = Backoff(0.02, 1.0)
        while not await is_done():
            await backoff.sleep()
        ```
    """

    def __init__(self, first: float, longest: float, factor: float = 1.5) -> None:
        self._first = first
        self._longest = longest
        self._factor = factor
        self.seconds = first
        """How long the next pause is."""

    async def sleep(self) -> None:
        """Pause, and make the next pause longer."""
        await asyncio.sleep(self.seconds)
        self.grow()

    def grow(self) -> None:
        """Make the next pause longer."""
        self.seconds = min(self.seconds * self._factor, self._longest)

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self.seconds = self._first
