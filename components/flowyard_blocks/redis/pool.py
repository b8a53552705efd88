"""Connections to Redis of which there are only so many. It needs redis-py, and is imported late."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError


class LimitedPool(ConnectionPool):
    """Has a caller wait for a connection where all are in use, at less cost than redis-py's own.

    Args:
        limit: The most connections.
        wait: How long a caller waits for one, in seconds; None for any time.
    """

    def __init__(self, limit: int, wait: float | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._wait = wait
        self._free = asyncio.Semaphore(limit)

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        if self._free.locked():
            try:
                async with asyncio.timeout(self._wait):
                    await self._free.acquire()
            except TimeoutError as error:
                raise RedisConnectionError(
                    f"all connections have been in use for {self._wait:g} s: raise 'poolSize'"
                ) from error
        else:
            await self._free.acquire()
        # Without the lock of redis-py: nothing is awaited here, so nobody comes between.
        available: Any = self.get_available_connection  # redis-py gives it no types
        connection: AbstractConnection = available()
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        try:
            await super().release(connection)
        finally:
            self._free.release()
