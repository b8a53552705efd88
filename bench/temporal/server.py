"""The Temporal server of the live tests, and a component that is on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

from bench.backend import scratch
from flowyard import App, Runtime
from flowyard.config import ComponentSpec

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from servers.builds import temporal_server
from servers.temporal_server import temporal_running

QUEUE = "bench"


@contextmanager
def temporal() -> Iterator[str]:
    """Run a server in memory; lends its address."""
    with scratch() as folder, temporal_running(temporal_server(print), folder) as server:
        yield server.address


def metadata_of(address: str) -> dict[str, str]:
    """Return what components.yaml has to say of a component on the server."""
    return {"hostPort": address, "taskQueue": QUEUE}


def open_runtime(address: str, app: App | None) -> AbstractAsyncContextManager[Runtime]:
    """Open a component on the server."""
    spec = ComponentSpec("bench", "workflow.temporal", metadata=metadata_of(address))
    return Runtime.open([spec], app)
