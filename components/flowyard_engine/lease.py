"""Which process owns a store: a lease in real time, and a fence that every commit checks."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from flowyard.backend import BackendUnavailable, Machine
from flowyard_engine.queries import QUERIES as Q
from flowyard_engine.settings import LONGEST_LEASE_SECONDS


class Lease:
    """The ownership of the file by this process, in real time."""

    def __init__(self, seconds: float, machine: Machine) -> None:
        self.fence: int | None = None
        self.renew_at = 0.0
        self.is_renewed = False
        """Whether another process has renewed its lease while this one looked."""
        self._seconds = seconds
        self._machine = machine
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0
        self._believed = 0.0

    def take(self, connection: sqlite3.Connection) -> int | None:
        """Return the fence with which this process is the owner once the transaction is written.

        None if another process holds the lease. `take_effect` is to be called with the fence then.
        """
        fence = _row(connection).fence
        if fence == self.fence:
            return fence
        if self.holder(connection) is not None:
            return None
        connection.execute(Q["take_lease"], (self._expiry(), self._machine.process, self._seconds))
        return fence + 1

    def holder(self, connection: sqlite3.Connection) -> str | None:
        """Return the machine and process that own the file; None if nobody does."""
        row = _row(connection)
        # A mistake here is harmless, because the fence refuses what a former owner writes.
        is_held = self._is_held(row) and not self._machine.has_died(row.owner)
        return row.owner if is_held else None

    def take_effect(self, fence: int | None) -> None:
        """What `take` has returned is written."""
        # Not sooner: had it not been written, the next owner would have the same fence.
        self.fence = fence

    def holds(self, connection: sqlite3.Connection) -> bool:
        """Check inside a transaction that no other process has become the owner; renew if due."""
        if self.fence is None or _row(connection).fence != self.fence:
            self.fence = None
            return False
        if self._machine.monotonic() >= self.renew_at:
            connection.execute(Q["renew_lease"], (self._expiry(), self.fence))
        return True

    def release(self, connection: sqlite3.Connection) -> None:
        """Let another process take over at once."""
        if self.fence is not None:
            connection.execute(Q["renew_lease"], (0, self.fence))
            self.fence = None

    def _is_held(self, row: _Row) -> bool:
        """Whether the row speaks of an owner that may live.

        The clock by which it was written may have been set since, or be that of another machine:
        a lease is believed no longer, by this process's own clock, than it had left when the row
        was first seen, and no longer than it is.
        """
        left = (row.expires_at - self._real_time()) / 1e6
        now = self._machine.monotonic()
        if self._seen != (row.fence, row.expires_at):
            self.is_renewed = self._seen is not None
            self._seen = row.fence, row.expires_at
            self._seen_at = now
            if row.seconds is not None:
                self._believed = min(left, row.seconds)
            else:
                self._believed = left if left <= LONGEST_LEASE_SECONDS else self._seconds
        return now < self._seen_at + self._believed

    def _expiry(self) -> int:
        self.renew_at = self._machine.monotonic() + self._seconds / 4
        return self._real_time() + int(self._seconds * 1e6)

    def _real_time(self) -> int:
        # The component may be on a virtual clock; other processes are not.
        return self._machine.nanoseconds() // 1000


class _Row(NamedTuple):
    only: int
    fence: int
    expires_at: int
    owner: str
    seconds: float | None = None
    """How long the lease is; None in a file of version 1."""


def _row(connection: sqlite3.Connection) -> _Row:
    row = connection.execute(Q["fence"]).fetchone()
    if row is None:
        raise BackendUnavailable(
            "the table 'lease' of the database has no row, so no process can own it: another "
            "program has deleted it. Restore a backup, or use another file"
        )
    # By position: one column has had two names.
    return _Row(*row)
