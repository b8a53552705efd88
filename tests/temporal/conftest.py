"""What the tests of the Temporal adapter share: runtimes, and a worker that knows no Flowyard."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from flowyard import Runtime
from flowyard.config import ComponentSpec
from program import StartProgram, programs_of
from servers.fixtures import StartTemporal
from servers.process import ServerProcess
from servers.temporal_server import TemporalServer

PROGRAM = Path(__file__).parent / "programs" / "native.py"
_PATIENCE = 60

OpenRuntime = Callable[..., AbstractAsyncContextManager[Runtime]]


@contextmanager
def native_worker(address: str, folder: Path) -> Iterator[str]:
    """Run the worker of `programs/native.py`; lends its task queue."""
    queue = f"native-{uuid4().hex}"
    worker = ServerProcess(
        [sys.executable, str(PROGRAM), address, "default", queue],
        folder / f"{queue}.log",
        ready=lambda said: "READY" in said,
        patience=_PATIENCE,
    )
    try:
        yield queue
    finally:
        worker.kill()


@pytest.fixture(scope="session")
def native_queue(temporal_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the task queue on which the native workflows run."""
    with native_worker(temporal_server, tmp_path_factory.mktemp("native")) as queue:
        yield queue


@pytest.fixture
def open_native(temporal_server: str, native_queue: str) -> OpenRuntime:
    """Opens a runtime that manages what the native worker runs."""

    def open_runtime(**metadata: str) -> AbstractAsyncContextManager[Runtime]:
        given = {"hostPort": temporal_server, "taskQueue": native_queue, **metadata}
        return Runtime.open([ComponentSpec("orders", "workflow.temporal", metadata=given)])

    return open_runtime


@pytest.fixture(scope="session")
def server_without_pause(start_temporal: StartTemporal) -> Iterator[str]:
    """Return the address of a server whose namespaces have no pause."""
    with start_temporal("-pause=false") as server:
        yield server.address


@pytest.fixture
def server(start_temporal: StartTemporal, tmp_path: Path) -> Iterator[TemporalServer]:
    """One that keeps what it has in a file."""
    with start_temporal(database=tmp_path / "temporal.db") as server:
        yield server


@pytest.fixture
def start_program() -> Iterator[StartProgram]:
    """Start one of `temporal.programs`."""
    with programs_of("temporal.programs") as start:
        yield start
