"""The application, where it speaks gRPC: Dapr's service AppCallback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from flowyard.errors import UnsupportedOperation
from flowyard.server.app_channel import AppAddress, AppRequest, AppResponse
from flowyard.server.auth import TOKEN_HEADER

M = TypeVar("M", bound=Message)

CALLBACK = "dapr.proto.runtime.v1.AppCallback"
CALLBACK_ALPHA = "dapr.proto.runtime.v1.AppCallbackAlpha"


class GrpcApp:
    """Calls the methods that a gRPC application has for its sidecar."""

    def __init__(self, address: AppAddress, channel: grpc.aio.Channel) -> None:
        self._address = address
        self._channel = channel
        limit = address.max_concurrency
        self._slots = asyncio.Semaphore(limit) if limit > 0 else None

    def call(self, request: AppRequest) -> AbstractAsyncContextManager[AppResponse]:
        """Refuse: what HTTP has and gRPC has not is not translated yet."""
        raise UnsupportedOperation(f"application at {self._address.location}", "call over gRPC")

    async def ask(
        self,
        method: str,
        request: Message,
        answer: type[M],
        metadata: Mapping[str, str] | None = None,
    ) -> M:
        """Call a method by its full name, such as `…AppCallback/OnTopicEvent`.

        Raises:
            grpc.aio.AioRpcError: What the application or the transport says instead.
        """
        sent = [(name, value) for name, value in (metadata or {}).items() if name != TOKEN_HEADER]
        if self._address.token is not None:
            sent.append((TOKEN_HEADER, self._address.token))
        call: Any = self._channel.unary_unary(f"/{method}", _bytes, answer.FromString)
        async with AsyncExitStack() as stack:
            if self._slots is not None:
                await stack.enter_async_context(self._slots)
            found: M = await call(request, metadata=sent)
            return found


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()


@asynccontextmanager
async def open_grpc_app(address: AppAddress, max_bytes: int) -> AsyncIterator[GrpcApp]:
    """Give the channel to the application, which need not run yet."""
    options = [
        ("grpc.max_receive_message_length", max_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.enable_http_proxy", 0),
        # It may be started long after its sidecar, and be restarted.
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]
    async with grpc.aio.insecure_channel(address.location, options) as channel:
        yield GrpcApp(address, channel)
