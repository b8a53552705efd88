"""Service invocation over HTTP: any verb, to any path (docs/protocol.md §18)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flowyard.blocks.app_channel import AppChannel, AppRequest, AppResponse
from flowyard.blocks.invocation import Invocation, method_path, passed_on, request_headers
from flowyard.errors import FlowyardError, InvalidRequest, InvocationFailed
from flowyard.server.http.endpoints import call_of, fault_response, peer_of, refuse
from flowyard.server.http.exchange import Exchange
from flowyard.server.refusals import Refusals
from flowyard.wire.json.errors import Fault

CODE = "ERR_DIRECT_INVOKE"
_APP_ID = "dapr-app-id"
_BASE = "/v1.0/invoke/"
_METHOD = "/method/"
_PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class _Call:
    """Whom a request is for, and the path there, as it was sent."""

    target: str
    method: str


class Invoked:
    """Finds the calls of applications among the requests that have no route."""

    def __init__(self, invocation: Invocation | None, refusals: Refusals) -> None:
        self._invocation = invocation
        self._refusals = refusals

    async def answer(self, request: Request) -> Response | None:
        """Return what answers a call; None if it is none, or for somebody who is not known."""
        call = _call_of(request)
        if call is None or self._invocation is None:
            return None
        try:
            channel = await self._invocation.find(call.target)
            if channel is None:
                return None
            path = method_path(call.method, request.scope["query_string"].decode("latin-1"))
        except (InvalidRequest, InvocationFailed) as error:
            fault = invocation_fault(call.target, error)
            refuse(self._refusals, request.scope, fault)
            return fault_response(fault)
        return _Answer(call.target, path, channel, self._refusals)


def invocation_fault(target: str, error: Exception) -> Fault:
    """Return how it is told that a call could not be made."""
    status = 400 if isinstance(error, InvalidRequest) else 500
    if isinstance(error, InvocationFailed):
        return Fault(status, CODE, str(error))
    return Fault(status, CODE, f"failed to invoke, id: {target}, err: {error}")


def _call_of(request: Request) -> _Call | None:
    path: str = request.scope["path"]
    target = request.headers.get(_APP_ID) or _basic(request.headers)
    if target:
        return _Call(target, _cleaned(path))
    if not path.startswith(_BASE):
        return None
    target, between, method = path.removeprefix(_BASE).partition(_METHOD)
    return _Call(unquote_plus(target), method) if target and between else None


def _basic(headers: Mapping[str, str]) -> str:
    """Return the application that a user and a password name: `dapr-app-id` and its ID."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme != "Basic":
        return ""
    try:
        user, _, app_id = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return app_id if user == _APP_ID else ""


def _cleaned(path: str) -> str:
    """Return a path without what leads up, as it has no route of ours."""
    kept = posixpath.normpath(path).lstrip("/")
    return f"{kept}/" if path.endswith("/") and kept else kept


def _headers(answer: AppResponse) -> list[tuple[str, str]]:
    told = passed_on(answer.headers)
    if not answer.type_url:
        return told
    # SDKs read the body as a message if the content type says so.
    kept = [(name, value) for name, value in told if name != "content-type"]
    return [*kept, ("content-type", _PROTOBUF)]


class _Answer(Response):
    """What the application answers, as it comes."""

    def __init__(self, target: str, path: str, channel: AppChannel, refusals: Refusals) -> None:
        super().__init__()
        self._target = target
        self._path = path
        self._channel = channel
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(Request(scope, receive), send)
        # A call that nobody waits for any more ends: it may never be answered.
        calling = asyncio.create_task(self._call(exchange))
        hang_up = asyncio.create_task(exchange.hung_up())
        try:
            await asyncio.wait({calling, hang_up}, return_when=asyncio.FIRST_COMPLETED)
            is_over = calling.done()
        finally:
            calling.cancel()
            hang_up.cancel()
            await asyncio.gather(calling, hang_up, return_exceptions=True)
        if is_over:
            calling.result()
        elif exchange.is_answered:
            await exchange.break_off()
        else:
            gone = "the caller closed its side of the connection before there was an answer"
            await exchange.refuse(Fault(400, CODE, gone))

    async def _call(self, exchange: Exchange) -> None:
        given = exchange.request
        sent = AppRequest(
            given.method, self._path, request_headers(given.headers.items()), exchange.body()
        )
        try:
            async with self._channel.call(sent) as answer:
                await exchange.answer(answer.status, _headers(answer), answer.body)
        except ClientDisconnect:
            return
        except FlowyardError as error:
            fault = invocation_fault(self._target, error)
            scope = given.scope
            self._refusals.tell(fault.code, call_of(scope), peer_of(scope), fault.message)
            if exchange.is_answered:
                await exchange.break_off()
            else:
                await exchange.refuse(fault)
