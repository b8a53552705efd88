"""Which process owns a store: a lease in real time, and a fence that every commit checks."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from pathlib import Path

from flowyard_engine.queries import QUERIES as Q


def _machine() -> str:
    """Name where a process ID means what it means here: the host, its boot, its namespace."""
    parts = [socket.gethostname()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    if boot.exists() and namespace.is_symlink():
        parts += [boot.read_text().strip(), str(namespace.readlink())]
    return "/".join(parts)


_MACHINE = _machine()


class Lease:
    """The ownership of the file by this process, in real time."""

    def __init__(self, seconds: float) -> None:
        self.fence: int | None = None
        self.renew_at = 0.0
        self._seconds = seconds

    def take(self, connection: sqlite3.Connection) -> bool:
        """Become (or stay) the owner unless another process holds it. Runs in a transaction."""
        fence, expires_at, owner = connection.execute(Q["fence"]).fetchone()
        if fence == self.fence:
            return True
        if expires_at > _real_time() and not _has_died(owner):
            return False
        connection.execute(Q["take_lease"], (self._expiry(), f"{_MACHINE}/{os.getpid()}"))
        self.fence = fence + 1
        return True

    def holds(self, connection: sqlite3.Connection) -> bool:
        """Check inside a transaction that no other process has become the owner; renew if due."""
        if self.fence is None or connection.execute(Q["fence"]).fetchone()[0] != self.fence:
            self.fence = None
            return False
        if time.monotonic() >= self.renew_at:
            connection.execute(Q["renew_lease"], (self._expiry(), self.fence))
        return True

    def release(self, connection: sqlite3.Connection) -> None:
        """Let another process take over at once."""
        if self.fence is not None:
            connection.execute(Q["renew_lease"], (0, self.fence))
            self.fence = None

    def _expiry(self) -> int:
        self.renew_at = time.monotonic() + self._seconds / 4
        return _real_time() + int(self._seconds * 1e6)


def _has_died(owner: str) -> bool:
    """Whether the owner was a process of this machine that is gone: no need to wait then.

    A mistake here is harmless, because the fence refuses what a former owner writes.
    """
    machine, _, process = owner.rpartition("/")
    if machine != _MACHINE or os.name != "posix":
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _real_time() -> int:
    # A test may run the engine on a virtual clock; other processes do not.
    return time.time_ns() // 1000
