"""What a process takes from the machine it runs on, as an argument: a simulation brings its own."""

from __future__ import annotations

import os
import socket
import time
import uuid
from pathlib import Path
from typing import Protocol

_SIZE = 16


class Machine(Protocol):
    """Clocks that other processes go by too, random bytes, and which processes live."""

    @property
    def process(self) -> str:
        """The name of this process, unlike that of any other that may open the same file."""

    def has_died(self, process: str) -> bool:
        """Whether a process is known to be gone.

        Args:
            process: Its name, as it is the `process` of its own machine.

        Returns:
            False where it lives, or nobody can tell.
        """

    def nanoseconds(self) -> int:
        """Return the time since the Unix epoch, in nanoseconds, UTC."""

    def monotonic(self) -> float:
        """Return a time in seconds that no change of the machine's clock moves; only compare it."""

    def new_uuid(self) -> uuid.UUID:
        """Return a random UUID (version 4)."""

    def new_number(self) -> int:
        """Return a number that no process has used before, greater than the last one here."""


class SystemMachine:
    """The machine that this process really runs on."""

    def __init__(self) -> None:
        self._location = _location()
        self._pool = b""
        self._used = 0
        self._last_number = 0
        if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
            os.register_at_fork(after_in_child=self._forget_pool)

    @property
    def process(self) -> str:
        return f"{self._location}/{os.getpid()}"

    def has_died(self, process: str) -> bool:
        """Whether it was a process of this machine, and no process has its ID now."""
        location, _, pid = process.rpartition("/")
        if location != self._location or os.name != "posix":
            return False
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def nanoseconds(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    def new_uuid(self) -> uuid.UUID:
        """Return a random UUID (version 4).

        The random bytes come from the system many at a time: `os.urandom` lets other threads run,
        and getting the turn back costs more than all the rest of a start.
        """
        if self._used >= len(self._pool):
            self._pool, self._used = os.urandom(256 * _SIZE), 0
        start, self._used = self._used, self._used + _SIZE
        return uuid.UUID(bytes=self._pool[start : start + _SIZE], version=4)

    def new_number(self) -> int:
        # Unique across processes by the nanoseconds.
        self._last_number = max(self._last_number + 1, time.time_ns())
        return self._last_number

    def _forget_pool(self) -> None:
        self._pool, self._used = b"", 0


def _location() -> str:
    """Name where a process ID means what it means here: the host, its boot, its namespace."""
    parts = [socket.gethostname()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    if boot.exists() and namespace.is_symlink():
        parts += [boot.read_text().strip(), str(namespace.readlink())]
    return "/".join(parts)


SYSTEM: Machine = SystemMachine()
"""The machine of this process, where no other is given."""
