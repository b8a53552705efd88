"""What the tests of the examples need: a runtime, an empty outside world, programs to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import pytest

from backends import BACKENDS, backend, write_components
from flowyard import App, Runtime
from flowyard.config import ComponentSpec

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# As `python examples/order_processing.py` does.
sys.path.insert(0, str(EXAMPLES))


class OpenRuntime(Protocol):
    """Opens a runtime on the backend under test; a second one finds what the first has left."""

    def __call__(self, app: App) -> AbstractAsyncContextManager[Runtime]:
        """Open it for an app."""
        ...


class Program:
    """An example in a process of its own."""

    def __init__(self, script: Path, *arguments: str, folder: Path) -> None:
        self.output: list[str] = []
        # What is logged is told apart: each engine has its own to say of a failed attempt.
        self._log = folder / f"{script.stem}.log"
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "dev", str(script), *arguments],
                cwd=folder,
                env=_environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def read_until(self, *texts: str) -> None:
        """Read its output until each of the texts has appeared in a line."""
        missing = set(texts)
        while missing:
            line = self._read()
            assert line, f"{missing} did not appear in:\n{self}"
            missing = {text for text in missing if text not in line}

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def finish(self, *, code: int = 0) -> list[str]:
        """Return its output once it has ended with that code."""
        while self._read():
            pass
        assert self.process.wait() == code, str(self)
        return self.output

    def _read(self) -> str:
        assert self.process.stdout is not None
        line: str = self.process.stdout.readline()
        if line:
            self.output.append(line.rstrip("\n"))
        return line

    def __str__(self) -> str:
        return "\n".join([*self.output, self._log.read_text()])


StartProgram = Callable[..., Program]


def _environment() -> dict[str, str]:
    # The programs run in another folder, where relative entries would not be found.
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    entries = [str(EXAMPLES), *(str(ROOT / entry) for entry in inherited if entry)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entries), "PYTHONWARNINGS": "error"}


@pytest.fixture(params=BACKENDS)
def component_spec(request: pytest.FixtureRequest, tmp_path: Path) -> ComponentSpec:
    """The backend under test."""
    return backend(request.param, tmp_path, request)


@pytest.fixture
def open_runtime(component_spec: ComponentSpec) -> OpenRuntime:
    """Open runtimes on the backend under test."""
    return lambda app: Runtime.open([component_spec], app)


@pytest.fixture(autouse=True)
def outside_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in a folder where the examples' outside worlds are new."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def start_program(component_spec: ComponentSpec, tmp_path: Path) -> Iterator[StartProgram]:
    """Start programs as processes: `start_program("order_processing.py", "--pace", "0")`."""
    write_components(component_spec, tmp_path)
    started: list[Program] = []

    def start(script: str | Path, *arguments: str) -> Program:
        program = Program(EXAMPLES / script, *arguments, folder=tmp_path)
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        if program.process.stdout is not None:
            program.process.stdout.close()
