"""What the examples' activities talk to: a file in place of a warehouse, a bank, a mail server."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from flowyard import ActivityContext

_TABLES = (
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS done (call TEXT PRIMARY KEY, result TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS calls (instance TEXT, activity TEXT, detail TEXT)",
)


class OutsideWorld:
    """Facts that outlive the program, and a log of the activities that ran.

    `pace` is how many seconds an activity takes, so that a person can follow, or kill the program.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.pace = 0.0

    def step(self, ctx: ActivityContext, activity: str, detail: str = "") -> None:
        """Log and show that an activity runs, and take the time that it takes."""
        self._log(ctx, activity, detail)
        say(f"  {activity}: {detail}" if detail else f"  {activity}")
        time.sleep(self.pace)

    def work(self, ctx: ActivityContext, activity: str, detail: str = "") -> None:
        """Do the same without showing it, where there are hundreds."""
        self._log(ctx, activity, detail)
        time.sleep(self.pace)

    def calls(self, instance_id: str | None = None) -> list[tuple[str, str]]:
        """Return activity and detail of each call so far, in order."""
        with self._transaction() as connection:
            return connection.execute(
                "SELECT activity, detail FROM calls WHERE ? IN (instance, '') ORDER BY rowid",
                (instance_id or "",),
            ).fetchall()

    def get(self, name: str, default: Any = None) -> Any:
        """Return a fact."""
        with self._transaction() as connection:
            return _read(connection, name, default)

    def put(self, name: str, value: Any) -> None:
        """Set a fact."""
        with self._transaction() as connection:
            _write(connection, name, value)

    def drop(self, name: str, item: str) -> None:
        """Take an item out of a fact that is a list."""
        with self._transaction() as connection:
            items = _read(connection, name, [])
            _write(connection, name, [held for held in items if held != item])

    def change_once(
        self, ctx: ActivityContext, name: str, default: Any, change: Callable[[Any], Any]
    ) -> Any:
        """Change a fact for a call of an activity, and not again if the call is repeated.

        Activities run at least once: one that was killed before its result was recorded runs
        again. Fact and idempotency key change in one transaction; the fact is returned.
        """
        with self._transaction() as connection:
            call = ctx.task_execution_id
            done = connection.execute("SELECT result FROM done WHERE call = ?", (call,)).fetchone()
            if done is not None:
                return json.loads(done[0])
            value = change(_read(connection, name, default))
            _write(connection, name, value)
            connection.execute("INSERT INTO done VALUES (?, ?)", (call, json.dumps(value)))
            return value

    def _log(self, ctx: ActivityContext, activity: str, detail: str) -> None:
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO calls VALUES (?, ?, ?)", (ctx.workflow_id, activity, detail)
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # A connection each time: activities run in many threads.
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as connection:
            # Killing the program does not lose what the operating system has; that is enough here.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            for table in _TABLES:
                connection.execute(table)
            yield connection
            connection.execute("COMMIT")


def _read(connection: sqlite3.Connection, name: str, default: Any) -> Any:
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return default if row is None else json.loads(row[0])


def _write(connection: sqlite3.Connection, name: str, value: Any) -> None:
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))


def say(line: str) -> None:
    """Print a line at once, also into a pipe and from many threads."""
    print(f"{line}\n", end="", flush=True)
