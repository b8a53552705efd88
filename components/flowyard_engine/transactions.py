"""What is written to the SQLite file: turns together, anything else in its own transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from flowyard.backend import BackendUnavailable, Machine
from flowyard_engine.file import explain
from flowyard_engine.lease import Lease
from flowyard_engine.open_file import FileGone, OpenFile
from flowyard_engine.settings import EngineSettings
from flowyard_engine.store import Commit, LeaseLost, Outcome
from flowyard_engine.writes import write

T = TypeVar("T")

# How many times its limit the write-ahead log may have before somebody is told.
_LARGE_LOG = 16


class Transactions:
    """The transactions of one connection, which one thread at a time uses.

    `on_lease_lost` is called in that thread when another process has become the owner.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        lease: Lease,
        file: OpenFile,
        settings: EngineSettings,
        machine: Machine,
        logger: logging.Logger,
    ) -> None:
        self._connection = connection
        self._lease = lease
        self._file = file
        self._settings = settings
        self._machine = machine
        self._logger = logger
        self._data_version = self._read_data_version()
        self._trouble = ""
        self._most_log = _LARGE_LOG * settings.journal_size_limit
        self.on_lease_lost: Callable[[], None] = lambda: None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def write_turns(self, commits: list[Commit]) -> list[Outcome]:
        """Write turns in one transaction, and tell how each went."""
        connection = self._connection
        outcomes = [Outcome() for _ in commits]
        is_written = is_of_a_turn = False
        try:
            connection.execute("BEGIN IMMEDIATE")
            if not self._lease.holds(connection):
                connection.execute("ROLLBACK")
                self.on_lease_lost()
                lost = LeaseLost("another process has become the owner of the file")
                return [Outcome(lost) for _ in commits]
            is_of_a_turn = True
            write(connection, commits, outcomes)
            connection.execute("COMMIT")
            is_written = True
            self._file.check()
        except Exception as failure:  # noqa: BLE001 - whatever it is, the thread must go on
            self._roll_back()
            error = self._explain(failure)
            if isinstance(error, FileGone):
                self._note_trouble(error)
            elif is_of_a_turn and not is_written and len(commits) > 1:
                # What one turn cannot write must not fail the others.
                return [outcome for commit in commits for outcome in self.write_turns([commit])]
            return [Outcome(error) for _ in commits]
        return outcomes

    def run(
        self, job: Callable[[sqlite3.Connection], T], written: Callable[[T], None]
    ) -> T | Exception:
        """Run a job in a transaction, and call `written` with what it returns once that is on disk.

        What goes wrong is returned: it belongs to who asked for the job.
        """
        connection = self._connection
        try:
            self._file.check()
            connection.execute("BEGIN IMMEDIATE")
            result = job(connection)
            connection.execute("COMMIT")
            self._file.check()
            written(result)
        except Exception as failure:  # noqa: BLE001 - it is the answer
            self._roll_back()
            error = self._explain(failure)
            if isinstance(error, FileGone):
                self._note_trouble(error)
            return error
        return result

    def look(self) -> bool:
        """Keep the lease; return whether another process has written since the last look."""
        connection = self._connection
        lease = self._lease
        try:
            self._file.check()
            if lease.fence is not None and self._machine.monotonic() >= lease.renew_at:
                connection.execute("BEGIN IMMEDIATE")
                holds = lease.holds(connection)
                connection.execute("COMMIT")
                if not holds:
                    self.on_lease_lost()
            version = self._read_data_version()
        except Exception as error:  # noqa: BLE001 - the thread must go on
            self._roll_back()
            self._note_trouble(self._explain(error))
            return False
        self._trouble = ""
        self._look_at_log()
        is_new = version != self._data_version
        self._data_version = version
        return is_new

    def _read_data_version(self) -> int:
        """Return what changes when another connection has written."""
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _note_trouble(self, error: Exception) -> None:
        """Say once what is wrong with the file; the callers of further writes are told too."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            self._logger.error("%s", error)
        if isinstance(error, FileGone) and self._lease.fence is not None:
            # Who opens the file that is there now is its owner.
            self._lease.fence = None
            self.on_lease_lost()

    def _look_at_log(self) -> None:
        size = self._file.log_size
        if size > self._most_log:
            self._most_log = 2 * size
            self._logger.warning(
                "the write-ahead log of %s has grown to %d MB: a program that has been reading the "
                "file for a long time keeps it from being emptied. End that program's transaction",
                self._settings.path,
                size >> 20,
            )

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            # What cannot be rolled back now fails the next BEGIN, and is rolled back then.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _explain(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.Error):
            text = explain(self._settings, error)
            unavailable = BackendUnavailable(f"the database could not be written: {text}")
            unavailable.__cause__ = error
            return unavailable
        return error
