"""Connections to one PostgreSQL database, of which each serves one statement at a time."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.json import set_json_loads

from flowyard.backend import BackendUnavailable, BindingFailed, ConfigurationError
from flowyard_blocks.bindings.connection_string import read_connection_string

Rows = list[tuple[Any, ...]]
Connection = psycopg.AsyncConnection[tuple[Any, ...]]
_USUAL_CONNECTIONS = 4


class Connections:
    """Keeps idle connections for the next statement. `clock` gives seconds."""

    def __init__(
        self,
        conninfo: str,
        most: int,
        idle: timedelta,
        timeout: timedelta,
        clock: Callable[[], float],
    ) -> None:
        self._conninfo = conninfo
        self._slots = asyncio.Semaphore(most)
        self._idle_seconds = idle.total_seconds()
        self._timeout_seconds = timeout.total_seconds()
        self._clock = clock
        self._idle: list[tuple[float, Connection]] = []

    @staticmethod
    @asynccontextmanager
    async def open(
        name: str,
        conninfo: str,
        *,
        most: int | None,
        idle: timedelta,
        connect_within: timedelta,
        clock: Callable[[], float],
    ) -> AsyncIterator[Connections]:
        """Connect once, so that what cannot be reached is known at once.

        Without `most`, the connection string says how many there may be.
        """
        read = read_connection_string(conninfo)
        if read is None:
            # Without the reason, which may quote the password.
            raise ConfigurationError(
                f"component '{name}': key 'url' or 'connectionString' is no connection string. "
                "Write postgresql://user:password@host/database, or host=… dbname=…"
            )
        conninfo, allowed = read
        connections = Connections(
            conninfo, most or allowed or _USUAL_CONNECTIONS, idle, connect_within, clock
        )
        try:
            await connections._give(await connections._take())
            yield connections
        finally:
            for _, connection in connections._idle:
                await connection.close()

    async def run(
        self, sql: str, parameters: Sequence[str | None], *, wants_rows: bool
    ) -> tuple[int, Rows | None]:
        """Run one statement; return how many rows it changed, and the rows if they are wanted."""
        async with self._slots:
            connection = await self._take()
            try:
                return await self._run(connection, sql, parameters, wants_rows=wants_rows)
            except psycopg.Error as error:
                if connection.closed:
                    text = f"the connection to the database broke: {_reason(error)}"
                    raise BackendUnavailable(text) from error
                raise BindingFailed(_reason(error)) from error
            except ValueError as error:
                raise BindingFailed(f"the statement cannot be sent: {error}") from error
            finally:
                await self._give(connection)

    async def _run(
        self,
        connection: Connection,
        sql: str,
        parameters: Sequence[str | None],
        *,
        wants_rows: bool,
    ) -> tuple[int, Rows | None]:
        async with psycopg.AsyncRawCursor(connection) as cursor:
            # Prepared: then it is one statement, whatever else the text has.
            await cursor.execute(sql.encode(), list(parameters), prepare=True)
            if not wants_rows:
                return cursor.rowcount, None
            return cursor.rowcount, await cursor.fetchall() if cursor.description else []

    async def _take(self) -> Connection:
        while self._idle:
            since, connection = self._idle.pop()
            if self._clock() - since <= self._idle_seconds and _is_alive(connection):
                return connection
            await connection.close()
        try:
            async with asyncio.timeout(self._timeout_seconds or None):
                connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        except (TimeoutError, psycopg.Error) as error:
            reason = _reason(error)
            raise BackendUnavailable(f"the database cannot be reached: {reason}") from error
        set_json_loads(msgspec.Raw, connection)
        return connection

    async def _give(self, connection: Connection) -> None:
        # Whatever transaction a caller has begun ends with its call.
        if connection.info.transaction_status is TransactionStatus.IDLE:
            self._idle.append((self._clock(), connection))
        else:
            await connection.close()


def _is_alive(connection: Connection) -> bool:
    """Whether nothing has come: the server says only that it closes the connection."""
    if connection.closed:
        return False
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return not waiting.poll(0)


def _reason(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
