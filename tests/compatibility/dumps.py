"""SQLite files as SQL, which Git can store and people can read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from compatibility.files import read_text, write_text


def dump(file: Path, target: Path) -> None:
    """Write the SQL that makes a file with the same tables, rows and version."""
    with closing(sqlite3.connect(file)) as connection:
        write_text(target, "".join(f"{statement}\n" for statement in _statements(connection)))


def restore(dumped: Path, file: Path) -> None:
    """Make the file of what `dump` has written."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(f"BEGIN;\n{read_text(dumped)}COMMIT;\n")


def _statements(connection: sqlite3.Connection) -> Iterator[str]:
    made = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    schema = connection.execute(made).fetchall()
    tables = [(name, sql) for kind, name, sql in schema if kind == "table"]
    # SQLite makes the table of the highest numbers itself, and lets nobody create it.
    yield from (f"{sql};" for name, sql in tables if name != "sqlite_sequence")
    for name, _ in tables:
        columns = connection.execute(f'PRAGMA table_info("{name}")').fetchall()
        quoted = ", ".join(f'quote("{column}"), typeof("{column}")' for _, column, *_ in columns)
        for row in connection.execute(f'SELECT {quoted} FROM "{name}"'):  # noqa: S608
            pairs = zip(row[::2], row[1::2], strict=True)
            values = ", ".join(_value(connection, *pair) for pair in pairs)
            yield f'INSERT INTO "{name}" VALUES ({values});'  # noqa: S608
    yield from (f"{sql};" for kind, _, sql in schema if kind != "table")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    yield f"PRAGMA user_version = {version};"


def _value(connection: sqlite3.Connection, quoted: str, kind: str) -> str:
    """Return a value as SQL; text in a blob stays legible."""
    if kind == "blob":
        try:
            text = bytes.fromhex(quoted[2:-1]).decode()
        except UnicodeDecodeError:
            return quoted
        if text.isprintable():
            (quoted,) = connection.execute("SELECT quote(?)", (text,)).fetchone()
            return f"CAST({quoted} AS BLOB)"
    return quoted
