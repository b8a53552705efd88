"""A server in a process of its own."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

_KILL_ON_EXIT = Path(__file__).parent / "kill_on_exit.py"
_TAIL = 3000


class ServerProcess:
    """A server that can be killed and started again, and that does not outlive its tests."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        ready: Callable[[str], bool],
        patience: float,
        kill_on_exit: int | None = None,
    ) -> None:
        """Start it; `ready` is told what it has written since.

        It dies with this process, or with all who have the writing end of the pipe `kill_on_exit`.
        """
        self._command = command
        self._log = log
        self._ready = ready
        self._patience = patience
        self._leash = subprocess.PIPE if kill_on_exit is None else kill_on_exit
        self._start()

    def __enter__(self) -> Self:
        """Nothing: it runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it."""
        self.kill()

    def kill(self) -> None:
        """Kill it without warning (SIGKILL)."""
        self._process.terminate()
        self._process.communicate()

    def leave(self) -> None:
        """Let it run on; whoever has the pipe `kill_on_exit` ends it."""
        # Otherwise Python warns, at the end of this process, of a child that has not ended.
        self._process.returncode = 0

    def restart(self) -> None:
        """Kill it and start it again, with the port and the database that it had."""
        self.kill()
        self._start()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            written = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, str(_KILL_ON_EXIT), *self._command],
                stdin=self._leash,
                stdout=log,
                stderr=log,
                cwd=self._log.parent,
                start_new_session=True,  # an interrupted test run ends before its servers
            )
        deadline = time.monotonic() + self._patience
        while not self._ready(said := self._said(written)):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                how = "ended" if ended else f"was not ready after {self._patience:.0f} s"
                raise RuntimeError(f"{self._command[0]} {how}; it said:\n{said[-_TAIL:]}")
            time.sleep(0.05)

    def _said(self, since: int) -> str:
        with self._log.open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")


def free_port() -> int:
    """Return a port that the system gives to nobody meanwhile, also while its server is dead.

    A port of the ephemeral range would be: to any client, even to one that tries to reconnect.
    """
    while True:
        port = random.randrange(15_000, 30_000)  # noqa: S311
        with socket.socket() as attempt:
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
