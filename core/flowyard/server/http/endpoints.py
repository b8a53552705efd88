"""One endpoint of the HTTP API: what it is called and what answers. OpenAPI is made of these."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic_core import from_json
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from flowyard.errors import InvalidRequest, nearest
from flowyard.server.http.bodies import RESERVED, BodyBudget
from flowyard.server.not_served import NotServed
from flowyard.server.refusals import Refusals
from flowyard.wire.json.errors import INTERNAL, Fault, RequestFault, fault_of

if TYPE_CHECKING:
    from flowyard.server.http.blocks import Elsewhere

logger = logging.getLogger(__name__)

HALF_CLOSED = "half_closed"
"""In the state of a request: the event that the caller sends no more, and may have gone."""
BREAK_OFF = "break_off"
"""In the state of a request: ends the connection, so that the answer is seen not to be whole."""

# What is read without asking: the server holds as much of each request anyway.
_SMALL = 64 * 1024

Answer = Callable[[Request], Awaitable[Response]]
OnFault = Callable[[Request, Exception], Fault]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, with the JSON schema of its value."""

    schema: Mapping[str, Any]
    description: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path. `body` and `answers` name schemas of the document; "" is none.

    In the path, `{name}` is one segment, and `{name...}`, at its end, all that follow.
    """

    method: str
    path: str
    answer: Answer
    summary: str
    answers: Mapping[int, str]
    body: str = ""
    query: Mapping[str, Parameter] = field(default_factory=dict)
    fault: OnFault = lambda _, error: fault_of(error)
    only_known: bool = False
    """Whether a query parameter that is not in `query` is refused; Dapr ignores it."""

    def route(self) -> Route:
        """Return what serves it."""
        path = self.path.replace("...}", ":flowyard_rest}")
        path = re.sub(r"\{(\w+)\}", r"{\1:flowyard_segment}", path)
        return Route(path, self._serve, methods=[self.method])

    async def _serve(self, request: Request) -> Response:
        try:
            self._check_query(request)
            return await self.answer(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except NotServed as error:
            return self._elsewhere(request, error)
        # Whatever it is, the caller gets an answer in the shape of the API.
        except Exception as error:
            fault = self.fault(request, error)
            if fault.status == INTERNAL.status and not isinstance(error, RequestFault):
                logger.exception("%s failed", call_of(request.scope))
            else:
                refuse(request.app.state.refusals, request.scope, fault)
            return fault_response(fault)
        finally:
            if RESERVED in request.scope:
                _budget(request).give(request.scope[RESERVED])

    def _elsewhere(self, request: Request, error: NotServed) -> Response:
        elsewhere: Elsewhere = request.app.state.elsewhere
        otherwise = self.fault(request, error.otherwise) if error.otherwise is not None else None
        return elsewhere.answer(request, error.block, error.name, otherwise)

    def _check_query(self, request: Request) -> None:
        unknown = [name for name in request.query_params if name not in self.query]
        if self.only_known and unknown:
            raise InvalidRequest(
                f"query parameter '{unknown[0]}' is not known here. "
                f"{nearest(unknown[0], self.query)}"
            )


class _Segment(Convertor[str]):
    """One segment of a path, possibly empty; an encoded slash is part of it."""

    regex = "[^/]*"

    def convert(self, value: str) -> str:
        try:
            return unquote(value, errors="strict")
        except UnicodeDecodeError:
            return "\ufffd"  # no name that anything has

    def to_string(self, value: str) -> str:
        return value


class _Rest(_Segment):
    """All segments that follow, and the slashes between them."""

    regex = ".*"


register_url_convertor("flowyard_segment", _Segment())
register_url_convertor("flowyard_rest", _Rest())


def fault_response(fault: Fault) -> JSONResponse:
    """Return Dapr's error body, and in it what a client needs to make the error again."""
    body: dict[str, Any] = {"errorCode": fault.code, "message": fault.message}
    if fault.rich:
        body["details"] = list(fault.rich)
    elif fault.details:
        body["details"] = dict(fault.details)
    return JSONResponse(body, fault.status)


def call_of(scope: Scope) -> str:
    """Return the method and the path as they were sent."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return f"{scope['method']} {raw.decode('ascii', 'replace')}"


def peer_of(scope: Scope) -> str:
    """Return who has called."""
    client = scope.get("client")
    return "unknown" if client is None else f"{client[0]}:{client[1]}"


def refuse(refusals: Refusals, scope: Scope, fault: Fault) -> None:
    """Tell the log what the caller is told."""
    refusals.tell(fault.code, call_of(scope), peer_of(scope), fault.message)


async def read_text(request: Request, limit: int) -> str:
    """Return the body as text, or raise `RequestFault`."""
    try:
        return (await read_bytes(request, limit)).decode()
    except UnicodeDecodeError as error:
        raise RequestFault(400, "ERR_BODY_READ", f"the body is not UTF-8 text: {error}") from error


async def read_bytes(request: Request, limit: int) -> bytes:
    """Return the body, or raise `RequestFault`.

    A large one waits until others have been dealt with, before it is taken into memory.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise RequestFault(
                413, "ERR_BODY_READ", f"the body is larger than the limit of {limit} bytes"
            )
        chunks.append(chunk)
        if size > _SMALL and RESERVED not in request.scope:
            share = _announced(request, limit)
            await _budget(request).take(share)
            request.scope[RESERVED] = share
    return b"".join(chunks)


def _announced(request: Request, limit: int) -> int:
    length = request.headers.get("content-length", "")
    return min(int(length), limit) if length.isdecimal() else limit


def _budget(request: Request) -> BodyBudget:
    budget: BodyBudget = request.app.state.bodies
    return budget


def parse_json(text: str) -> Any:
    """Return the value of a JSON body, None for an empty one, or raise `RequestFault`."""
    if not text.strip():
        return None
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        message = f"failed deserializing HTTP body: {error}"
        raise RequestFault(400, "ERR_MALFORMED_REQUEST", message) from error


async def hung_up(request: Request) -> None:
    """Return once the caller has gone, or sends no more and may have gone."""
    half_closed = getattr(request.state, HALF_CLOSED, None)
    if half_closed is None:
        await _disconnected(request)
    else:
        await first_of(half_closed.wait(), _disconnected(request), timeout=None)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def first_of(
    *awaitables: Awaitable[Any],
    timeout: float | None,  # noqa: ASYNC109
) -> None:
    """Return once one of them has ended or the time is over; raise what it raised."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
