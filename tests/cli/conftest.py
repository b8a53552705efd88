"""Runs the command in this process, and servers in their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowyard.cli.main import main

FOLDER = Path(__file__).parent
_COMPONENTS = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: errands
spec:
  type: workflow.engine
  version: v1
  metadata:
  - name: connectionString
    value: sqlite:///{file}
  - name: leaseSeconds
    value: "0.5"
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


Command = Callable[..., Ended]


@pytest.fixture
def flowyard(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command with these arguments, where `errands.py` is."""
    monkeypatch.chdir(FOLDER)

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        assert "Traceback" not in captured.err
        return Ended(ended.value.code, captured.out, captured.err)

    return run


def write_components(folder: Path) -> Path:
    """Write a components file with an engine in the same folder."""
    path = folder / "components.yaml"
    path.write_text(_COMPONENTS.format(file=folder / "errands.db"))
    return path


@pytest.fixture
def components(tmp_path: Path) -> Path:
    """A components file."""
    return write_components(tmp_path)


class Server:
    """`flowyard serve` in a process of its own, on free ports."""

    def __init__(self, components: Path, *arguments: str) -> None:
        command = [sys.executable, "-c", "from flowyard.cli.main import main; main()", "serve"]
        ports = ["--http-port", "0", "--grpc-port", "0", "--components", str(components)]
        environment = {
            name: value for name, value in os.environ.items() if name != "DAPR_API_TOKEN"
        }
        self.process = subprocess.Popen(
            [*command, *ports, *arguments],
            cwd=FOLDER,
            env={**environment, "PYTHONWARNINGS": "error"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while not (line := self.said()).startswith("Serving "):
            pass  # what it logs of instances that it has found
        self.url = line.partition("HTTP on ")[2].partition(" ")[0].strip()
        self.grpc = line.partition("gRPC on ")[2].strip()

    def said(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended with {self.process.wait()}"
        return line

    def rest(self) -> str:
        """Return what it still prints until its end."""
        assert self.process.stdout is not None
        return self.process.stdout.read()


@contextmanager
def serving(components: Path, *arguments: str) -> Iterator[Server]:
    """Serve until the end of the block."""
    server = Server(components, *arguments)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()
        if server.process.stdout is not None:
            server.process.stdout.close()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of `errands.py`, for tests that choose IDs of their own."""
    components = write_components(tmp_path_factory.mktemp("served"))
    with serving(components, "--app", "errands:app") as server:
        yield server


@pytest.fixture
def server(shared_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, as the one that the command finds by itself."""
    monkeypatch.setenv("FLOWYARD_URL", shared_server.url)
    monkeypatch.delenv("DAPR_API_TOKEN", raising=False)
    return shared_server
