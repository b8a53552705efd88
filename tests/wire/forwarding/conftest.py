"""A server beside a daprd that records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import grpc.aio
import httpx
import pytest

from flowyard.server.http.server import Address
from flowyard.server.server import Served, ServerOptions, open_server
from wire.forwarding.daprd import GrpcDaprd, HttpDaprd, grpc_daprd, http_daprd
from wire.http.service import engine


class Serve(Protocol):
    """Opens a server with some options."""

    def __call__(self, **options: Any) -> AbstractAsyncContextManager[Served]: ...


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Open a server with a workflow component, and with what the test gives besides."""

    def opened(**options: Any) -> AbstractAsyncContextManager[Served]:
        components = [engine("orders", tmp_path), *options.pop("components", ())]
        chosen = ServerOptions(components, Address(port=0, drain_seconds=0), grpc_port=0, **options)
        return open_server(chosen, None, asyncio.Event())

    return opened


@pytest.fixture
async def daprd() -> AsyncIterator[HttpDaprd]:
    """The HTTP API of a daprd."""
    async with http_daprd() as one:
        yield one


@pytest.fixture
async def http(serve: Serve, daprd: HttpDaprd) -> AsyncIterator[httpx.AsyncClient]:
    """Calls a server beside it."""
    async with (
        serve(dapr=daprd.url, dapr_token="theirs") as served,  # noqa: S106
        httpx.AsyncClient(base_url=served.http, timeout=60) as client,
    ):
        yield client


@pytest.fixture
async def grpc_side() -> AsyncIterator[GrpcDaprd]:
    """The gRPC API of a daprd."""
    async with grpc_daprd() as one:
        yield one


@pytest.fixture
async def channel(serve: Serve, grpc_side: GrpcDaprd) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to a server beside it."""
    unlimited = [("grpc.max_receive_message_length", -1)]
    async with (
        serve(dapr=f"grpc://{grpc_side.address}", dapr_token="theirs") as served,  # noqa: S106
        grpc.aio.insecure_channel(served.grpc or "", unlimited) as channel,
    ):
        yield channel
