"""`InvokeService` of `dapr.proto.runtime.v1.Dapr` (docs/protocol.md §18)."""

from __future__ import annotations

from http import HTTPStatus

from google.protobuf.any_pb2 import Any as Packed

from flowyard.blocks.app_channel import AppRequest, AppResponse
from flowyard.blocks.invocation import Invocation, method_path, passed_on, request_headers
from flowyard.errors import FlowyardError, InvalidRequest, InvocationFailed
from flowyard.server.block_errors import BlockError
from flowyard.server.grpc.metadata import Context, sendable, text_metadata
from flowyard.server.not_served import NotServed
from flowyard.wire.v1 import invocation_pb2 as wire

_CODE = "ERR_DIRECT_INVOKE"
_JSON = "application/json"
_STATUS = "dapr-http-status"
_CODES = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "CANCELLED",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# How much of an answer is in the message of its status, and in the details.
_LONGEST = 1024
_LONGEST_DETAIL = 256


class InvocationService:
    """Calls of applications, whose HTTP statuses become statuses of gRPC."""

    def __init__(self, invocation: Invocation | None, max_bytes: int) -> None:
        self._invocation = invocation
        self._max_bytes = max_bytes

    async def invoke_service(
        self, request: wire.InvokeServiceRequest, context: Context
    ) -> wire.InvokeResponse:
        """Answer with what the application answers."""
        try:
            channel = None if self._invocation is None else await self._invocation.find(request.id)
            if channel is None:
                raise NotServed("invoke", request.id)
            async with channel.call(_request(request.message, context)) as answer:
                body = await self._read(request.id, answer)
        except FlowyardError as error:
            raise _failed(request.id, error) from error
        told = passed_on(answer.headers)
        await context.send_initial_metadata(
            [*sendable(told), (_STATUS, str(answer.status))],
        )
        if answer.status // 100 != 2:
            raise _answered(answer.status, body)
        return wire.InvokeResponse(
            data=Packed(type_url=answer.type_url, value=body),
            content_type=dict(told).get("content-type", ""),
        )

    async def _read(self, target: str, answer: AppResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.body:
            size += len(chunk)
            if size > self._max_bytes:
                reason = f"the answer is larger than the limit of {self._max_bytes} bytes"
                raise InvocationFailed(target, reason, answer.status)
            chunks.append(chunk)
        return b"".join(chunks)


def _request(message: wire.InvokeRequest, context: Context) -> AppRequest:
    method, _, query = message.method.partition("?")
    extension = message.http_extension
    queries = [part for part in (query, extension.querystring) if part]
    verb = wire.HttpVerb.Name(extension.verb) if extension.verb else "POST"
    headers = request_headers(text_metadata(context))
    headers["content-type"] = message.content_type or _JSON
    path = method_path(method, "&".join(queries))
    return AppRequest(verb, path, headers, message.data.value, message.data.type_url)


def _failed(target: str, error: FlowyardError) -> BlockError:
    text = str(error)
    if not isinstance(error, InvocationFailed):
        text = f"failed to invoke, id: {target}, err: {text}"
    if isinstance(error, InvalidRequest):
        return BlockError(400, _CODE, "INVALID_ARGUMENT", text)
    return BlockError(500, _CODE, "INTERNAL", text)


def _answered(status: int, body: bytes) -> BlockError:
    """Return the status of gRPC for one of HTTP, with the body as its text."""
    text = body[:_LONGEST].decode("utf-8", "replace")
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = str(status)
    info = {"http.code": str(status), "http.error_message": text[:_LONGEST_DETAIL]}
    code = _CODES.get(status, "UNKNOWN")
    return BlockError(status, _CODE, code, text or reason, reason=reason, info=info)
