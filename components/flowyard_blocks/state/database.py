"""One SQLite file and the one thread that reads and writes it."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.resources import files
from typing import TypeVar

from flowyard.backend import BackendUnavailable
from flowyard_blocks.state.sqlite_settings import SqliteSettings

T = TypeVar("T")

_VERSION = 1
"""How many migrations of Dapr's tables there are."""


class Database:
    """An open file.

    Args:
        queries: The SQL of `sqlite.sql` by name, with the names of the tables.
    """

    def __init__(
        self,
        settings: SqliteSettings,
        queries: Mapping[str, str],
        thread: ThreadPoolExecutor,
        connection: sqlite3.Connection,
    ) -> None:
        self.queries = queries
        self._settings = settings
        self._thread = thread
        self._connection = connection

    @staticmethod
    @asynccontextmanager
    async def open(settings: SqliteSettings) -> AsyncIterator[Database]:
        """Open the file, made if need be; raises `BackendUnavailable` if it cannot be used."""
        queries = _queries(settings)
        thread = ThreadPoolExecutor(1, thread_name_prefix="flowyard-state-sqlite")
        loop = asyncio.get_running_loop()
        try:
            connection = await loop.run_in_executor(thread, _connect, settings, queries)
            try:
                yield Database(settings, queries, thread, connection)
            finally:
                await loop.run_in_executor(thread, connection.close)
        finally:
            thread.shutdown()

    async def read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run what only reads."""
        return await self._run(job)

    async def write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run what writes, in a transaction: all of it is done, or nothing if the job raises."""
        return await self._run(partial(_transact, job))

    async def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        try:
            running = self._thread.submit(_told(self._settings, job), self._connection)
        except RuntimeError as error:
            raise BackendUnavailable(
                "the component was closed: open it again, and repeat the call"
            ) from error
        try:
            async with asyncio.timeout(self._settings.timeout.total_seconds()):
                return await asyncio.wrap_future(running)
        except TimeoutError as error:
            if not running.cancelled():  # it has begun
                self._connection.interrupt()
            raise BackendUnavailable(
                f"{self._settings.label} has not answered within the {self._settings.timeout} "
                "of the key 'timeout'"
            ) from error


def _transact(job: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    # At once the lock that writes: a transaction that read first could not get it later.
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = job(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return result


def _told(
    settings: SqliteSettings, job: Callable[[sqlite3.Connection], T]
) -> Callable[[sqlite3.Connection], T]:
    """Return the job with its SQLite errors in words."""

    def run(connection: sqlite3.Connection) -> T:
        try:
            return job(connection)
        except sqlite3.Error as error:
            raise _unusable(settings, error) from error

    return run


def _connect(settings: SqliteSettings, queries: Mapping[str, str]) -> sqlite3.Connection:
    _create(settings)
    # Switching to WAL ignores the busy timeout while another process does the same.
    deadline = time.monotonic() + settings.busy_timeout.total_seconds()
    while True:
        try:
            return _connect_once(settings, queries)
        except sqlite3.Error as error:
            if not _is_locked(error) or time.monotonic() > deadline:
                raise _unusable(settings, error) from error
        time.sleep(0.01)


def _connect_once(settings: SqliteSettings, queries: Mapping[str, str]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        settings.uri,
        uri=True,
        timeout=settings.busy_timeout.total_seconds(),
        isolation_level=None,
        check_same_thread=False,  # `interrupt` comes from another one
    )
    try:
        # What another program has stored need not be UTF-8.
        connection.text_factory = bytes
        if not settings.is_in_memory:
            connection.execute(
                f"PRAGMA journal_mode = {'DELETE' if settings.disable_wal else 'WAL'}"
            )
        connection.execute("PRAGMA synchronous = FULL")
        if _version(connection, settings, queries) < _VERSION:
            _migrate(connection, settings, queries)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(
    connection: sqlite3.Connection, settings: SqliteSettings, queries: Mapping[str, str]
) -> int:
    if (
        connection.execute(queries["has_metadata"], (settings.metadata_table_name,)).fetchone()
        is None
    ):
        return 0
    row = connection.execute(queries["version"]).fetchone()
    version = int(row[0]) if row is not None and row[0].isdigit() else 0
    if version > _VERSION:
        raise BackendUnavailable(
            f"{settings.label} has version {version} of Dapr's tables, and {_VERSION} is known "
            "here. Use another file, or a later version of flowyard."
        )
    return version


def _migrate(
    connection: sqlite3.Connection, settings: SqliteSettings, queries: Mapping[str, str]
) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    try:
        connection.execute(queries["create_metadata"])
        # Another process may have done it while this one waited.
        if _version(connection, settings, queries) < _VERSION:
            connection.execute(queries["create_state"])
            connection.execute(queries["set_version"], (str(_VERSION),))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _create(settings: SqliteSettings) -> None:
    """Make a new file that only its owner can read: values may be secrets."""
    # What exists is not touched. What else goes wrong, SQLite says when it opens the file.
    if settings.path is not None:
        with suppress(OSError):
            os.close(os.open(settings.path, os.O_CREAT | os.O_EXCL, 0o600))


def _is_locked(error: sqlite3.Error) -> bool:
    # Errors of the module itself have no code of SQLite's; the low byte is the kind of the others.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _unusable(settings: SqliteSettings, error: sqlite3.Error) -> BackendUnavailable:
    if _is_locked(error):
        return BackendUnavailable(
            f"another process has had {settings.label} locked for longer than the "
            f"{settings.busy_timeout} of the key 'busyTimeout': {error}"
        )
    folder = settings.path.absolute().parent if settings.path is not None else None
    hint = (
        f" The folder {folder} does not exist: make it first."
        if folder is not None and not folder.is_dir()
        else ""
    )
    return BackendUnavailable(f"{settings.label} cannot be used: {error}.{hint}")


def _queries(settings: SqliteSettings) -> Mapping[str, str]:
    """Return the SQL of `sqlite.sql` by name."""
    text = (files("flowyard_blocks") / "state" / "sqlite.sql").read_text()
    found = re.findall(r"^-- name: (\w+)\n(.*?)(?=^-- name:|\Z)", text, re.MULTILINE | re.DOTALL)
    return {
        name: sql.replace("{state}", f'"{settings.table_name}"')
        .replace("{metadata}", f'"{settings.metadata_table_name}"')
        .strip()
        for name, sql in found
    }
