"""The tables of the SQLite file, and how an older file comes to have them.

Each file `sql/migrations/NNNN_name.sql` leads from version N - 1 to version N, and is never changed
once it is released.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files

from flowyard.backend import BackendUnavailable
from flowyard_engine.lease import Lease

_FOLDER = files("flowyard_engine") / "sql" / "migrations"

MIGRATIONS: tuple[str, ...] = tuple(
    file.read_text()
    for file in sorted(_FOLDER.iterdir(), key=lambda file: file.name)
    if file.name.endswith(".sql")
)
"""The SQL of each, by version: the first leads from an empty file to version 1."""

LATEST = len(MIGRATIONS)

_OUR_NAMES = "SELECT 1 FROM sqlite_master WHERE name IN ('instances', 'history', 'lease')"


class StillOwned(BackendUnavailable):
    """A process of an older version runs the workflows of the file."""


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the file's tables; 0 if it has none."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(connection: sqlite3.Connection, lease: Lease) -> int:
    """Bring the tables to the latest version, all or nothing; returns the version they had.

    Raises `StillOwned` if another process has the lease.
    """
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have done it while this one waited.
    version = version_of(connection)
    if 0 < version < LATEST and (owner := lease.holder(connection)) is not None:
        connection.execute("ROLLBACK")
        raise StillOwned(
            f"the file has schema version {version}, this version of flowyard makes it {LATEST}, "
            f"and a process of an older version runs its workflows ({owner}): stop that first"
        )
    if version == 0 and connection.execute(_OUR_NAMES).fetchone() is not None:
        raise sqlite3.DatabaseError("its tables are those of another program")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        for statement in _statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute("COMMIT")
    return version


def _statements(script: str) -> Iterator[str]:
    """Part a script; `executescript` would commit what is under way."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
