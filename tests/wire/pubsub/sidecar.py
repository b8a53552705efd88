"""A server beside an application that takes events, both in this process on real ports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flowyard.server import Served, ServerOptions, open_server
from flowyard.server.app_channel import AppAddress
from flowyard.server.http.server import Address

FILE = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: engine}}
spec:
  type: workflow.engine
  metadata: [{{name: connectionString, value: "sqlite:///{folder}/flowyard.db"}}]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: orderpubsub}}
spec:
  type: {type}
  version: v1
  metadata:
{metadata}
"""


def components(
    folder: Path,
    type_: str = "pubsub.in-memory",
    metadata: Mapping[str, str] | None = None,
    documents: Sequence[str] = (),
) -> Path:
    """Write a folder of components, with further documents, and return it."""
    written = folder / "components"
    written.mkdir(exist_ok=True)
    items = {"maxRetries": "2", **(metadata or {})}
    lines = "\n".join(f'    - {{name: {key}, value: "{value}"}}' for key, value in items.items())
    text = FILE.format(folder=folder, type=type_, metadata=lines)
    (written / "components.yaml").write_text("\n---\n".join([text, *documents]))
    return written


@dataclass
class Subscribed:
    """An application that answers as it is told, and remembers what it gets."""

    subscriptions: list[dict[str, Any]]
    answers: dict[str, list[Response]] = field(default_factory=dict)
    """What it answers to a path, in turn; 200 and nothing in the end."""
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    got: list[tuple[str, Mapping[str, str], Any]] = field(default_factory=list)
    asked: list[Mapping[str, str]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def app(self) -> Starlette:
        """Return what is to be run."""
        return Starlette(
            routes=[
                Route("/dapr/subscribe", self._subscribe),
                Route("/{path:path}", self._take, methods=["POST"]),
            ]
        )

    async def gets(self, count: int) -> list[Any]:
        """Return the events once there are so many."""
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(lambda: len(self.got) >= count)
        return [event for _, _, event in self.got]

    @property
    def data(self) -> list[Any]:
        """The data of all events."""
        return [event.get("data") for _, _, event in self.got]

    async def _subscribe(self, request: Request) -> Response:
        self.asked.append(dict(request.headers))
        return JSONResponse(self.subscriptions)

    async def _take(self, request: Request) -> Response:
        path = request.url.path
        event = json.loads(await request.body())
        async with self.changed:
            self.got.append((path, dict(request.headers), event))
            self.changed.notify_all()
        if path in self.gates:
            await self.gates[path].wait()
        answers = self.answers.get(path)
        return answers.pop(0) if answers else Response()


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A server, and a client of its HTTP API."""

    served: Served
    http: httpx.AsyncClient

    async def publish(self, topic: str, data: Any, **query: str) -> None:
        """Publish a JSON value."""
        answer = await self.http.post(f"/v1.0/publish/orderpubsub/{topic}", json=data, params=query)
        assert answer.status_code == 204, answer.text


@asynccontextmanager
async def beside(
    folder: Path, app_port: int | None, *, protocol: str = "http", **options: Any
) -> AsyncIterator[Sidecar]:
    """Serve a folder of components beside an application."""
    chosen = ServerOptions(
        components=folder,
        http=Address(port=0, drain_seconds=1),
        grpc_port=0,
        app_id="checkout",
        app_address=None if app_port is None else AppAddress(app_port, protocol, token="its own"),  # noqa: S106
    )
    chosen = replace(chosen, **options)
    async with (
        open_server(chosen, None, asyncio.Event()) as served,
        httpx.AsyncClient(base_url=served.http) as http,
    ):
        yield Sidecar(served, http)
