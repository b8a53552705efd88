"""The HTTP application: every endpoint, and the answer where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from flowyard.api.endpoints import Endpoint, fault_response
from flowyard.api.faults import Fault
from flowyard.api.guard import TokenGuard
from flowyard.api.http_dapr import DaprManagement
from flowyard.api.http_instances import BASE, BODIES, Instances
from flowyard.api.http_sidecar import OPEN_TO_ALL, Sidecar
from flowyard.api.openapi import openapi
from flowyard.runtime import Runtime

# daprd takes any other path for a call of another application.
_NO_ROUTE = Fault(
    404,
    "ERR_DIRECT_INVOKE",
    "failed getting app id either from the URL path or the header dapr-app-id",
)


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How the API is served. Without a token everybody who reaches the address may call."""

    token: str | None = field(default=None, repr=False)
    app_id: str = "flowyard"
    max_body: int = 16 * 1024 * 1024
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the shutdown endpoint and by whoever stops the server; long polls end with it."""
    connected_workers: Callable[[], int] = lambda: 0


def http_api(runtime: Runtime, options: HttpOptions) -> ASGIApp:
    """Return the application."""
    endpoints = http_endpoints(runtime, options)
    routes = [endpoint.route() for endpoint in endpoints]
    handlers = {404: _no_route, 405: _no_route}
    starlette = Starlette(routes=routes, exception_handlers=handlers)
    starlette.router.redirect_slashes = False
    app: ASGIApp = _EncodedPath(starlette)
    return TokenGuard(app, options.token, OPEN_TO_ALL) if options.token else app


def http_endpoints(runtime: Runtime, options: HttpOptions) -> Sequence[Endpoint]:
    """Return everything that is served."""

    async def document(request: Request) -> Response:
        return JSONResponse(openapi(endpoints, BODIES, version("flowyard")))

    sidecar = Sidecar(
        runtime,
        options.app_id,
        options.stopping.set,
        options.connected_workers,
    )
    endpoints = [
        *DaprManagement(runtime, options.max_body).endpoints(),
        *Instances(runtime, options.max_body, options.stopping).endpoints(),
        *sidecar.endpoints(),
        Endpoint("GET", "/openapi.json", document, "Get this document", {200: "Document"}),
    ]
    return endpoints


async def _no_route(request: Request, error: Exception) -> Response:
    if request.url.path.startswith(f"{BASE}/"):
        message = f"nothing is served at {request.method} {request.url.path}; see /openapi.json"
        return fault_response(Fault(404, "ERR_NO_ROUTE", message))
    return fault_response(_NO_ROUTE)


class _EncodedPath:
    """Routes by the path as it was sent, so that an encoded slash stays within its segment."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("ascii", "replace")}
        await self._app(scope, receive, send)
