"""Waiting for what happens elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_PATIENCE = 60


async def until(ask: Callable[[], Awaitable[T]], is_so: Callable[[T], bool]) -> T:
    """Ask again and again until the answer is as wanted, and return it."""
    answer = await ask()
    async with asyncio.timeout(_PATIENCE):
        while not is_so(answer):
            await asyncio.sleep(0.02)
            answer = await ask()
    return answer
