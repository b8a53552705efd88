"""A server and an application, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SERVE = "from flowyard.cli.main import main; main()"


class Server:
    """`flowyard serve`."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        assert program.stdout is not None
        self._program = program
        told = json.loads(program.stdout.readline())
        self.port, self.http_port = (
            int(told[face].rpartition(":")[2]) for face in ("grpc", "http")
        )

    def kill(self) -> None:
        """Kill it without warning."""
        self._program.kill()
        self._program.wait()


class Application:
    """One that plays scenarios."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program

    def play(self, scenario: str) -> object:
        """Return what came of a scenario."""
        assert self._program.stdin is not None
        self._program.stdin.write(f"{scenario}\n")
        self._program.stdin.flush()
        answer = self._answer()
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _answer(self) -> dict[str, object]:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            # What does not look like an answer is the log of an SDK.
            if line.startswith('{"'):
                answer: dict[str, object] = json.loads(line)
                return answer
        raise AssertionError("the application has ended")


@contextmanager
def serving(components: Path, port: int = 0, arguments: Sequence[str] = ()) -> Iterator[Server]:
    """Run a server in the folder of its components; the system chooses the port for gRPC."""
    command = [sys.executable, "-W", "error", "-c", _SERVE, "serve", "--json"]
    ports = ["--http-port", "0", "--grpc-port", str(port)]
    options = ["--components", str(components), *ports, *arguments]
    with subprocess.Popen(
        [*command, *options], cwd=components.parent, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            yield Server(program)
        finally:
            program.terminate()
            try:
                program.wait(30)
            except subprocess.TimeoutExpired:
                program.kill()
                raise
    assert program.returncode in {0, -9}


@contextmanager
def connected(command: list[str], port: int, http_port: int = 0) -> Iterator[Application]:
    """Run an application of an SDK that finds its server at a port, or at two."""
    address = {
        "DAPR_RUNTIME_HOST": "127.0.0.1",
        "DAPR_GRPC_PORT": str(port),
        "DAPR_HTTP_PORT": str(http_port),
    }
    with _running(command, {**os.environ, **address}) as program:
        yield Application(program)


@contextmanager
def _running(
    command: list[str], environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a program; it ends when its input does."""
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            yield program
        finally:
            assert program.stdin is not None
            program.stdin.close()
            try:
                program.wait(30)
            except subprocess.TimeoutExpired:
                program.kill()
                raise
    assert program.returncode in {0, -9}, f"{command[-2:]} ended with {program.returncode}"
