"""The Temporal server of the live tests, and a component that is on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import NoReturn

from bench.backend import scratch
from bench.process import report
from flowyard import App, Runtime
from flowyard.config import ComponentSpec

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from servers.builds import temporal_server
from servers.temporal_server import TemporalServer

QUEUE = "bench"


@contextmanager
def temporal() -> Iterator[str]:
    """Run a server in memory; lends its address."""
    with scratch() as folder, TemporalServer(temporal_server(print), folder) as server:
        yield server.address


def metadata_of(address: str) -> dict[str, str]:
    """Return what components.yaml has to say of a component on the server."""
    return {"hostPort": address, "taskQueue": QUEUE}


def open_runtime(address: str, app: App | None) -> AbstractAsyncContextManager[Runtime]:
    """Open a component on the server."""
    spec = ComponentSpec("bench", "workflow.temporal", metadata=metadata_of(address))
    return Runtime.open([spec], app)


def report_and_leave(measured: Mapping[str, float]) -> NoReturn:
    """Report, and end at once: Temporal's SDK now and then aborts a process that takes its time.

    This is its issue 300 (PyGILState_Release), which ordinary code for Temporal has, too.
    """
    report(measured)
    sys.stdout.flush()
    os._exit(0)
