"""What the engine's tests need: a file, runtimes on it, and programs to stop and to kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from flowyard import App, Runtime
from flowyard.clock import Clock
from flowyard.config import ComponentSpec

TESTS = Path(__file__).parents[1]


class OpenRuntime(Protocol):
    """Opens a runtime on the file of the test; a later one finds what the first has left."""

    def __call__(
        self, app: App | None = None, *, clock: Clock | None = None, **metadata: str
    ) -> AbstractAsyncContextManager[Runtime]:
        """Open it; without an app it only manages."""
        ...


class Program:
    """One of `engine.programs` in a process of its own; its arguments begin with the file."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"engine.programs.{name}", *arguments],
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
    return os.pathsep.join([str(TESTS), *(str(Path(one).absolute()) for one in inherited if one)])


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The SQLite file of the test."""
    return tmp_path / "flowyard.db"


@pytest.fixture
def open_runtime(database: Path) -> OpenRuntime:
    """Open runtimes on the file; metadata is given as in components.yaml."""

    def open_runtime(
        app: App | None = None, *, clock: Clock | None = None, **metadata: str
    ) -> AbstractAsyncContextManager[Runtime]:
        items = {"connectionString": f"sqlite:///{database}", **metadata}
        spec = ComponentSpec(name="orders", type="workflow.engine", metadata=items)
        return Runtime.open([spec], app, clock=clock)

    return open_runtime


@pytest.fixture
def start_program() -> Iterator[StartProgram]:
    """Start programs; what still runs at the end of the test is killed."""
    started: list[Program] = []

    def start(name: str, *arguments: object) -> Program:
        program = Program(name, *map(str, arguments))
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        for stream in (program.process.stdin, program.process.stdout):
            if stream is not None:
                stream.close()


class Query(Protocol):
    """Reads the file over a connection of its own."""

    def __call__(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return the rows; a change is committed."""
        ...


@pytest.fixture
def query(database: Path) -> Query:
    """Look into the file, or change it, as another program might."""

    def query(statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
            return connection.execute(statement, arguments).fetchall()

    return query
