"""The Conductor server of the live tests, and components that are on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from uuid import uuid4

from bench.backend import scratch
from flowyard import App, Runtime
from flowyard.config import ComponentSpec

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from servers.builds import conductor_server
from servers.conductor_server import ConductorServer


@contextmanager
def conductor() -> Iterator[str]:
    """Run a server on a SQLite file; lends the URL of its API."""
    with scratch() as folder, ConductorServer(conductor_server(print), folder) as server:
        yield f"{server.url}/api"


def new_queue() -> str:
    """Return the name of a task queue that nobody has."""
    return f"bench.{uuid4().hex[:8]}"


def open_runtime(
    url: str, app: App | None, queue: str | None = None
) -> AbstractAsyncContextManager[Runtime]:
    """Open a component on the server."""
    metadata = {"url": url, "taskQueue": queue or new_queue()}
    return Runtime.open([ComponentSpec("bench", "workflow.conductor", metadata=metadata)], app)
