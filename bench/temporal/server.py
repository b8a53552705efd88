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


def open_runtime(address: str, app: App, **settings: str) -> AbstractAsyncContextManager[Runtime]:
    """Open a component on the server."""
    metadata = {"hostPort": address, "taskQueue": QUEUE, **settings}
    return Runtime.open([ComponentSpec("bench", "workflow.temporal", metadata=metadata)], app)
