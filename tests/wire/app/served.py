"""A whole server, with an application beside it, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import yaml
from starlette.types import ASGIApp

from flowyard import Runtime
from flowyard.server.app_channel import AppAddress
from flowyard.server.http.server import Address
from flowyard.server.server import ServerOptions, open_server
from wire.app.service import running


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a test calls."""

    runtime: Runtime
    http: httpx.AsyncClient
    grpc: grpc.aio.Channel
    url: str
    grpc_address: str


def component(name: str, type: str, /, **metadata: str) -> dict[str, Any]:
    """Return the document of a component."""
    items = [{"name": key, "value": value} for key, value in metadata.items()]
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {"type": type, "version": "v1", "metadata": items},
    }


def endpoint(name: str, url: str, **spec: Any) -> dict[str, Any]:
    """Return the document of an HTTPEndpoint."""
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "HTTPEndpoint",
        "metadata": {"name": name},
        "spec": {"baseUrl": url, **spec},
    }


@asynccontextmanager
async def serving(
    folder: Path,
    documents: Sequence[dict[str, Any]] = (),
    app: ASGIApp | None = None,
    app_id: str = "shop",
    **options: Any,
) -> AsyncIterator[Sidecar]:
    """Serve the engine and what the documents have; without an application, it has no port."""
    engine = component(
        "engine", "workflow.engine", connectionString=f"sqlite:///{folder}/flowyard.db"
    )
    path = folder / "components.yaml"
    path.write_text(yaml.safe_dump_all([engine, *documents]))
    async with AsyncExitStack() as stack:
        address = None
        if app is not None:
            address = AppAddress(await stack.enter_async_context(running(app)))
        chosen = ServerOptions(
            path,
            Address(port=0, drain_seconds=0),
            grpc_port=0,
            app_id=app_id,
            app_address=options.pop("app_address", address),
            **options,
        )
        served = await stack.enter_async_context(open_server(chosen, None, asyncio.Event()))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=served.http))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(served.grpc or ""))
        yield Sidecar(served.runtime, http, channel, served.http, served.grpc or "")
