"""One endpoint of the HTTP API: what it is called and what answers. OpenAPI is made of these."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from pydantic_core import from_json
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flowyard.api.faults import INTERNAL, Fault, RequestFault, fault_of

logger = logging.getLogger(__name__)

Answer = Callable[[Request], Awaitable[Response]]
OnFault = Callable[[Request, Exception], Fault]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, with the JSON schema of its value."""

    schema: Mapping[str, Any]
    description: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path. `body` and `answers` name schemas of the document; "" is none."""

    method: str
    path: str
    answer: Answer
    summary: str
    answers: Mapping[int, str]
    body: str = ""
    query: Mapping[str, Parameter] = field(default_factory=dict)
    fault: OnFault = lambda _, error: fault_of(error)

    def route(self) -> Route:
        """Return what serves it."""
        path = self.path.replace("}", ":flowyard_segment}")
        return Route(path, self._serve, methods=[self.method])

    async def _serve(self, request: Request) -> Response:
        try:
            return await self.answer(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        # Whatever it is, the caller gets an answer in the shape of the API.
        except Exception as error:
            fault = self.fault(request, error)
            if fault.status == INTERNAL.status and not isinstance(error, RequestFault):
                logger.exception("%s %s failed", request.method, request.url.path)
            return fault_response(fault)


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


register_url_convertor("flowyard_segment", _Segment())


def fault_response(fault: Fault) -> JSONResponse:
    """Return Dapr's error body, and in it what a client needs to make the error again."""
    body: dict[str, Any] = {"errorCode": fault.code, "message": fault.message}
    if fault.details:
        body["details"] = dict(fault.details)
    return JSONResponse(body, fault.status)


async def read_text(request: Request, limit: int) -> str:
    """Return the body as text, or raise `RequestFault`."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise RequestFault(
                413, "ERR_BODY_READ", f"the body is larger than the limit of {limit} bytes"
            )
        chunks.append(chunk)
    try:
        return b"".join(chunks).decode()
    except UnicodeDecodeError as error:
        raise RequestFault(400, "ERR_BODY_READ", f"the body is not UTF-8 text: {error}") from error


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
    """Return once the caller has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def first_of(*awaitables: Awaitable[Any], timeout: float) -> None:  # noqa: ASYNC109
    """Return once one of them has ended or the time is over; raise what it raised."""
    tasks = [asyncio.ensure_future(one) for one in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
