"""Servers that are measured, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_SERVE = "from flowyard.cli.main import main; main()"


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens (host:port) and which process it is."""

    http: str
    grpc: str
    pid: int


@contextmanager
def serving(
    folder: Path,
    *options: str,
    type: str = "workflow.engine",
    metadata: Mapping[str, str] | None = None,
    blocks: Mapping[str, tuple[str, Mapping[str, str]]] | None = None,
) -> Iterator[Server]:
    """Run `flowyard serve` with the component `bench`: the built-in engine on a file, or this.

    `blocks` are further components: their types and their settings by their names.
    """
    components = folder / "components.yaml"
    if metadata is None:
        metadata = {"connectionString": f"sqlite:///{folder / 'served.db'}"}
    documents = [_component("bench", type, metadata)]
    documents += [_component(name, *block) for name, block in (blocks or {}).items()]
    components.write_text("\n---\n".join(map(json.dumps, documents)))
    command = [sys.executable, "-c", _SERVE, "serve", "--json", "--components", str(components)]
    ports = ["--http-port", "0", "--grpc-port", "0"]
    with listening([*command, *ports, *options]) as (first_line, pid):
        told = json.loads(first_line)
        yield Server(told["http"].removeprefix("http://"), told["grpc"], pid)


def _component(name: str, type: str, metadata: Mapping[str, str]) -> dict[str, object]:
    items = [{"name": key, "value": value} for key, value in metadata.items()]
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {"type": type, "version": "v1", "metadata": items},
    }


@contextmanager
def listening(
    command: list[str], environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """Run a program that prints a line when it listens; give that line and the process's ID."""
    with subprocess.Popen(
        command,
        cwd=_ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        try:
            yield program.stdout.readline(), program.pid
        finally:
            program.terminate()
