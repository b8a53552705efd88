"""The HTTP application: every endpoint, and the answer where there is none."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowyard.printable import printable
from flowyard.runtime import Runtime
from flowyard.server.app_channel import AppChannel
from flowyard.server.auth import PageGuard, TokenGuard, is_loopback
from flowyard.server.http.bindings import BindingEndpoints
from flowyard.server.http.blocks import Elsewhere
from flowyard.server.http.bodies import BodyBudget
from flowyard.server.http.dapr import DaprManagement
from flowyard.server.http.endpoints import Endpoint, call_of, fault_response, peer_of, refuse
from flowyard.server.http.instances import BASE, BODIES, Instances
from flowyard.server.http.invocation import Invoked
from flowyard.server.http.openapi import openapi
from flowyard.server.http.publishing import Publishing
from flowyard.server.http.secrets import SecretsEndpoints
from flowyard.server.http.sidecar import OPEN_TO_ALL, Sidecar
from flowyard.server.http.state import StateEndpoints
from flowyard.server.metadata import Extras
from flowyard.server.not_served import Daprd
from flowyard.server.pubsub.subscriptions import Active
from flowyard.server.refusals import Refusals
from flowyard.wire.json.errors import Fault

if TYPE_CHECKING:
    from flowyard.server.http.forwarding import HttpForwarding

logger = logging.getLogger(__name__)

_STOPPING = Fault(503, "ERR_BACKEND_UNAVAILABLE", "the server is stopping and takes no new work")
_NOT_READY = Fault(500, "ERR_HEALTH_NOT_READY", "dapr is not ready: the server is stopping")


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How the API is served. Without a token everybody who reaches the address may call."""

    token: str | None = field(default=None, repr=False)
    app_id: str = "flowyard"
    max_body: int = 16 * 1024 * 1024
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the shutdown endpoint and by whoever stops the server; long polls end with it."""
    connected_workers: Callable[[], int] = lambda: 0
    extras: Extras = field(default_factory=Extras)
    """What is in the metadata besides."""
    host: str = "127.0.0.1"
    """The address that is served: on one of this machine alone, callers name this machine."""
    allowed_hosts: Sequence[str] = ()
    """Names by which it may be called besides, and hosts of web pages that may call it."""
    refusals: Refusals = field(default_factory=lambda: Refusals(logger))
    subscriptions: Sequence[Active] = ()
    """Those that go on, which the metadata tell."""
    app: AppChannel | None = None
    """The application beside the server, if it takes calls."""
    daprd: Daprd | None = None
    """The daprd that gets the calls for what is not served here."""
    forwarding: HttpForwarding | None = None
    """The way to its HTTP API, if it has an address."""


def http_api(runtime: Runtime, options: HttpOptions) -> ASGIApp:
    """Return the application."""
    endpoints = http_endpoints(runtime, options)
    routes = [endpoint.route() for endpoint in endpoints]
    starlette = Starlette(routes=routes, exception_handlers={404: _no_route, 405: _no_route})
    starlette.router.redirect_slashes = False
    starlette.state.refusals = options.refusals
    starlette.state.elsewhere = Elsewhere(
        options.refusals, options.forwarding, options.daprd, runtime.blocks.unserved
    )
    starlette.state.invoked = Invoked(runtime.blocks.invocation, options.refusals)
    starlette.state.bodies = BodyBudget.of(options.max_body)
    app: ASGIApp = _Gate(_EncodedPath(starlette), options.stopping)
    if options.token:
        app = TokenGuard(app, options.token, OPEN_TO_ALL, options.refusals)
    else:
        app = PageGuard(
            app,
            [options.host, *options.allowed_hosts],
            any_host=not is_loopback(options.host),
            refusals=options.refusals,
        )
    return _CallLog(app)


def http_endpoints(runtime: Runtime, options: HttpOptions) -> Sequence[Endpoint]:
    """Return everything that is served."""

    async def document(request: Request) -> Response:
        return JSONResponse(openapi(endpoints, BODIES, version("flowyard")))

    sidecar = Sidecar(
        runtime,
        options.app_id,
        options.stopping.set,
        options.connected_workers,
        options.extras,
        options.subscriptions,
    )
    endpoints = [
        *DaprManagement(runtime, options.max_body).endpoints(),
        *Instances(runtime, options.max_body, options.stopping).endpoints(),
        *Publishing(runtime, options.max_body).endpoints(),
        *sidecar.endpoints(),
        *StateEndpoints(runtime.blocks, options.max_body).endpoints(),
        *SecretsEndpoints(runtime.blocks).endpoints(),
        *BindingEndpoints(runtime.blocks, options.max_body).endpoints(),
        Endpoint("GET", "/openapi.json", document, "Get this document", {200: "Document"}),
    ]
    return endpoints


async def _no_route(request: Request, error: Exception) -> Response:
    if request.url.path.startswith(f"{BASE}/"):
        message = f"nothing is served at {request.method} {request.url.path}; see /openapi.json"
        fault = Fault(404, "ERR_NO_ROUTE", message)
        refuse(request.app.state.refusals, request.scope, fault)
        return fault_response(fault)
    invoked: Invoked = request.app.state.invoked
    if (answer := await invoked.answer(request)) is not None:
        return answer
    elsewhere: Elsewhere = request.app.state.elsewhere
    return elsewhere.no_route(request)


class _Gate:
    """Refuses what comes after the server was told to stop; what came before is answered."""

    def __init__(self, app: ASGIApp, stopping: asyncio.Event) -> None:
        self._app = app
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._stopping.is_set():
            await self._app(scope, receive, send)
            return
        fault = _NOT_READY if scope["path"].rstrip("/") in OPEN_TO_ALL else _STOPPING
        answer = fault_response(fault)
        answer.headers["connection"] = "close"
        await answer(scope, receive, send)


class _CallLog:
    """Writes one line for each call, at debug."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not logger.isEnabledFor(logging.DEBUG):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            call, took = printable(call_of(scope)), 1000 * (time.perf_counter() - began)
            logger.debug("%s from %s: %d in %.1f ms", call, peer_of(scope), status, took)


class _EncodedPath:
    """Routes by the path as it was sent, so that an encoded slash stays within its segment."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("ascii", "replace")}
        await self._app(scope, receive, send)
