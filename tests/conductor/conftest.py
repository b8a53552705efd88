"""What the tests of the Conductor adapter share: runtimes, and workers that know no Flowyard."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard_conductor.plugin import CONDUCTOR
from servers.process import ServerProcess

PROGRAM = Path(__file__).parent / "programs" / "native.py"
_PATIENCE = 120

OpenRuntime = Callable[..., AbstractAsyncContextManager[Runtime]]


@pytest.fixture(scope="session")
def native_url(conductor_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of an API whose native workflows are defined, and have their workers."""
    url = f"{conductor_server}/api"
    worker = ServerProcess(
        [sys.executable, str(PROGRAM), url],
        tmp_path_factory.mktemp("native") / "native.log",
        ready=lambda said: "READY" in said,
        patience=_PATIENCE,
    )
    try:
        yield url
    finally:
        worker.kill()


@pytest.fixture
def open_native(native_url: str) -> OpenRuntime:
    """Opens a runtime that manages native workflows."""

    def open_runtime(**metadata: str) -> AbstractAsyncContextManager[Runtime]:
        given = {"url": native_url, **metadata}
        spec = ComponentSpec("orders", "workflow.conductor", metadata=given)
        return Runtime.open([spec], component_types=[CONDUCTOR])

    return open_runtime
