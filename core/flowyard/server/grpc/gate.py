"""Refuses new calls over gRPC while the server stops."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio

# What workers have in hand is answered until the end.
_ANSWERS = frozenset(
    f"/TaskHubSidecarService/{name}"
    for name in ("CompleteOrchestratorTask", "CompleteWorkflowTask", "CompleteActivityTask")
)


async def _refuse(_request: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(grpc.StatusCode.UNAVAILABLE, "the server is stopping and takes no new work")


_UNARY: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(_refuse)
_STREAM: grpc.RpcMethodHandler[Any, Any] = grpc.unary_stream_rpc_method_handler(_refuse)


class Gate(grpc.GenericRpcHandler):
    """Passes every call on until it is to stop, and from then on only the answers of workers."""

    def __init__(self, inner: grpc.GenericRpcHandler, stopping: asyncio.Event) -> None:
        self._inner = inner
        self._stopping = stopping

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handler = self._inner.service(handler_call_details)
        if handler is None or not self._stopping.is_set():
            return handler
        if handler_call_details.method in _ANSWERS:
            return handler
        return _STREAM if handler.response_streaming else _UNARY
