"""Opening the SQLite file."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from flowyard.backend import BackendUnavailable, Machine
from flowyard_engine.doubtful_events import warn_of_doubtful_events
from flowyard_engine.lease import Lease
from flowyard_engine.locks import describe_writer
from flowyard_engine.migrations import LATEST, StillOwned, migrate, version_of
from flowyard_engine.settings import EngineSettings

# Another process's transactions are short; a wait this long means that one hangs.
_BUSY_SECONDS = 60.0


def prepare(settings: EngineSettings, machine: Machine) -> None:
    """Make the file, or bring its tables to what this version of flowyard knows.

    Nothing is locked unless there is something to change: another process may hold the lock.
    """
    _create(Path(settings.path))
    try:
        with closing(connect(settings)) as connection:
            if version_of(connection) < LATEST and _migrate(connection, settings, machine) == 1:
                warn_of_doubtful_events(connection)
            check_version(connection, settings)
    except sqlite3.Error as error:
        raise _unusable(settings, error) from error


def check_version(connection: sqlite3.Connection, settings: EngineSettings) -> None:
    """Raise `BackendUnavailable` for tables that a later version of flowyard has made."""
    version = version_of(connection)
    if version > LATEST:
        raise BackendUnavailable(
            f"the file {settings.path} has schema version {version}, and this version of flowyard "
            f"knows {LATEST}: use the version of flowyard that wrote it, or another file"
        )


def _migrate(connection: sqlite3.Connection, settings: EngineSettings, machine: Machine) -> int:
    """Wait for an owner that has died without a word; its lease ends, and is not renewed."""
    lease = Lease(settings.lease_seconds, machine)
    while True:
        try:
            return migrate(connection, lease)
        except StillOwned:
            if lease.is_renewed:
                raise
        time.sleep(0.05)


def _create(path: Path) -> None:
    """Make a new file that only its owner can read: it holds all payloads.

    SQLite gives the files that it puts beside it the same mode.
    """
    # What exists is not touched: closing it here would end SQLite's locks of this process. What
    # else goes wrong, SQLite says when it opens the file.
    with suppress(OSError):
        os.close(os.open(path.resolve(), os.O_CREAT | os.O_EXCL, 0o600))


def connect(settings: EngineSettings) -> sqlite3.Connection:
    """Return a connection; raises `BackendUnavailable`."""
    # Switching to WAL ignores the busy timeout while another process does the same.
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return _connect_once(settings)
        except sqlite3.Error as error:
            if not _is_locked(error) or time.monotonic() > deadline:
                raise _unusable(settings, error) from error
        time.sleep(0.01)


def _connect_once(settings: EngineSettings) -> sqlite3.Connection:
    connection = sqlite3.connect(
        # A file that has just been deleted is not made again, readable by everybody.
        f"{Path(settings.path).absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
        connection.execute(f"PRAGMA journal_size_limit = {settings.journal_size_limit}")
        version_of(connection)  # so that the files of the write-ahead log are there
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is_locked(error: sqlite3.Error) -> bool:
    # Errors of the module itself have no code of SQLite's; the low byte is the kind of the others.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _unusable(settings: EngineSettings, error: sqlite3.Error) -> BackendUnavailable:
    folder = Path(settings.path).absolute().parent
    hint = "" if folder.is_dir() else f" The folder {folder} does not exist: make it first."
    text = explain(settings, error)
    return BackendUnavailable(f"the SQLite file {settings.path} cannot be used: {text}.{hint}")


def explain(settings: EngineSettings, error: sqlite3.Error) -> str:
    """Return the text of an error; of a lock, who holds it."""
    if not _is_locked(error):
        return str(error)
    return (
        f"another process has held the write lock of {settings.path} for more than "
        f"{_BUSY_SECONDS:g} s: {describe_writer(Path(settings.path).resolve())} ({error})"
    )
