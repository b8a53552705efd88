"""Service invocation of an application that speaks gRPC: `OnInvoke` (docs/protocol.md §18)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as Packed

from flowyard.blocks.app_channel import AppChannel, AppRequest, AppResponse
from flowyard.errors import BackendUnavailable, InvalidRequest
from flowyard.server.grpc_app import CALLBACK, GrpcApp
from flowyard.wire.v1 import invocation_pb2 as wire

_VERBS = frozenset(wire.HttpVerb.keys())
_HTTP_STATUSES = {
    grpc.StatusCode.CANCELLED: 408,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
}
# Of gRPC itself, or of HTTP alone.
_NOT_METADATA = frozenset({"content-length", "content-type", "te", "user-agent"})


class InvocableGrpcApp:
    """The application as service invocation calls it; `limit` is how large a body may be."""

    def __init__(self, app: GrpcApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    @asynccontextmanager
    async def call(self, request: AppRequest) -> AsyncIterator[AppResponse]:
        """Send a request, whose body has to fit into a message, and give the answer."""
        path, _, query = request.path.partition("?")
        sent = wire.InvokeRequest(
            method=path.lstrip("/"),
            data=Packed(type_url=request.type_url, value=await self._whole(request.body)),
            content_type=request.headers.get("content-type", ""),
            http_extension=wire.HttpExtension(
                # Of any other verb, the schema has no number.
                verb=request.verb if request.verb in _VERBS else None,
                querystring=query,
            ),
        )
        metadata = {
            name.lower(): value
            for name, value in request.headers.items()
            if name.lower() not in _NOT_METADATA and value.isascii() and value.isprintable()
        }
        try:
            told = await self._app.ask(f"{CALLBACK}/OnInvoke", sent, wire.InvokeResponse, metadata)
        except grpc.aio.AioRpcError as error:
            reason = error.details() or error.code().name
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise BackendUnavailable(f"the application does not answer: {reason}") from error
            status = _HTTP_STATUSES.get(error.code(), 500)
            yield AppResponse(status, (("content-type", "text/plain"),), _one(reason.encode()))
            return
        headers = (("content-type", told.content_type),) if told.content_type else ()
        yield AppResponse(200, headers, _one(told.data.value), told.data.type_url)

    async def _whole(self, body: bytes | AsyncIterator[bytes]) -> bytes:
        if isinstance(body, bytes):
            return body
        chunks: list[bytes] = []
        size = 0
        async for chunk in body:
            size += len(chunk)
            if size > self._limit:
                raise InvalidRequest(
                    f"the body is larger than the limit of {self._limit} bytes (--max-body), and "
                    "the application takes it in one message"
                )
            chunks.append(chunk)
        return b"".join(chunks)


def invocable(app: AppChannel | None, limit: int) -> AppChannel | None:
    """Return the application as service invocation calls it, whatever it speaks."""
    return InvocableGrpcApp(app, limit) if isinstance(app, GrpcApp) else app


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body
