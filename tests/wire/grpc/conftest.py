"""A server on a port of its own, and connections to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from flowyard import App, Runtime
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.server.grpc.server import serve_grpc
from wire.grpc.peer import OpenServer


@pytest.fixture
def open_server(tmp_path: Path) -> OpenServer:
    """Open a server on the file of the test; a later one finds what the first has left."""

    @asynccontextmanager
    async def open_once_more(app: App | None = None, **options: Any) -> AsyncIterator[str]:
        metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
        spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
        executors = RemoteExecutors()
        async with (
            Runtime.open([spec], app, executor=executors.make) as runtime,
            serve_grpc(runtime, executors, port=0, **{"grace_seconds": 0, **options}) as port,
        ):
            yield f"127.0.0.1:{port}"

    return open_once_more


@pytest.fixture
async def address(open_server: OpenServer) -> AsyncIterator[str]:
    """Where a server listens."""
    async with open_server() as address:
        yield address


@pytest.fixture
async def channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to it."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel
