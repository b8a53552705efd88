"""Programs that tests start, talk to, stop and kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_TESTS = Path(__file__).parent


class Program:
    """A module of the tests in a process of its own."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": _python_path(), "PYTHONWARNINGS": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._has_ended = False
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        # A daemon, so that a test that fails need not wait for what the program never says.
        threading.Thread(target=self._read, daemon=True).start()

    async def says(self, text: str) -> None:
        """Return once it has printed this line."""
        await self._until(lambda: text in self.lines)
        assert text in self.lines, f"it ended without having said {text!r}:\n{self}"

    def told(self, text: str = "") -> None:
        """Write a line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    async def ends(self) -> int:
        """Return its exit code once it has ended."""
        await self._until(lambda: False)
        return self.process.wait()

    async def ends_well(self) -> None:
        """Return once it has ended, without an error."""
        assert await self.ends() == 0, str(self)

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Let it stand still."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after `stop`."""
        self.process.send_signal(signal.SIGCONT)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._tell()
        self._has_ended = True
        self._tell()

    def _tell(self) -> None:
        for loop, listener in self._listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(listener.set)

    async def _until(self, is_reached: Callable[[], bool]) -> None:
        listener = asyncio.Event()
        self._listeners.append((asyncio.get_running_loop(), listener))
        while not (is_reached() or self._has_ended):
            await listener.wait()
            listener.clear()

    def __str__(self) -> str:
        return "\n".join(self.lines)


StartProgram = Callable[..., Program]


def _python_path() -> str:
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(
        [str(_TESTS), *(str(Path(place).absolute()) for place in inherited if place)]
    )


@contextmanager
def programs_of(package: str) -> Iterator[StartProgram]:
    """Start modules of a package; what still runs at the end is killed."""
    started: list[Program] = []

    def start(name: str, *arguments: object) -> Program:
        program = Program(f"{package}.{name}", *map(str, arguments))
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        for stream in (program.process.stdin, program.process.stdout):
            if stream is not None:
                stream.close()
