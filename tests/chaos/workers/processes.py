"""A server and its workers, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.lines import Line, Lines

_SERVE = "from flowyard.cli.main import main; main()"
_COMPONENTS = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: orders}}
spec:
  type: workflow.engine
  version: v1
  metadata:
    - name: connectionString
      value: sqlite:///{database}
    - name: cachedInstances
      value: "{cached}"
"""
_LONGEST_START = 60.0
_LONGEST_STOP = 60.0
_DRAIN_SECONDS = 5


class Misbehaviour(Exception):
    """A process did not do what it has to: a kind, and what was seen."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


@dataclass(slots=True)
class ServerProcess:
    """`flowyard serve`, always on the same file and port."""

    folder: Path
    cached_instances: int
    port: int = 0
    process: Process | None = None

    def __post_init__(self) -> None:
        text = _COMPONENTS.format(
            database=self.folder / "flowyard.db", cached=self.cached_instances
        )
        (self.folder / "components.yaml").write_text(text)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it and its predecessors have logged."""
        return (self.folder / "log").read_text(errors="replace")

    async def start(self) -> None:
        """Return once it serves."""
        words = ["serve", "--json", "--http-port", "0", "--grpc-port", str(self.port)]
        words += ["--components", str(self.folder / "components.yaml")]
        words += ["--drain", str(_DRAIN_SECONDS)]
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _SERVE, *words, stdout=PIPE, stderr=log
            )
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(_LONGEST_START):
                line = await self.process.stdout.readline()
        except TimeoutError:
            raise Misbehaviour("server does not start", self.log[-1500:]) from None
        if not line or "grpc" not in json.loads(line):
            raise Misbehaviour("server does not start", self.log[-1500:])

    async def kill(self) -> None:
        """End it without warning."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """End it in order."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_LONGEST_STOP):
                code = await self.process.wait()
        except TimeoutError:
            await self.kill()
            raise Misbehaviour("server does not stop", f"within {_LONGEST_STOP:g} s") from None
        if code != 0:
            raise Misbehaviour("server ends badly", f"exit code {code}: {self.log[-1500:]}")


@dataclass(slots=True)
class WorkerProcess:
    """A worker, and who takes the lines that it writes."""

    name: str
    module: str
    address: str
    apply: Callable[[str, Line], None]
    folder: Path
    process: Process | None = None
    reading: asyncio.Task[None] | None = None
    lines: Lines = field(default_factory=Lines)

    async def start(self) -> None:
        """Start it; it connects when it can."""
        with (self.folder / "workers.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self.module, self.address),
                stdout=PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        self.reading = asyncio.create_task(self._read())

    async def end(self, number: signal.Signals) -> None:
        """End it by a signal, and take what it has written."""
        assert self.process is not None
        assert self.reading is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.wait()
        await self.reading

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(1 << 16):
            for line in self.lines.feed(data):
                self.apply(self.name, line)
