"""What is not served here, said in the words of Dapr's sidecar (docs/protocol.md §12)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from flowyard.server.block_errors import BlockError
from flowyard.server.grpc.forwarding import GrpcForwarding
from flowyard.server.grpc.rich_status import trailing_metadata
from flowyard.server.grpc.statuses import status_of
from flowyard.server.not_served import Daprd, NotServed, advice
from flowyard.server.refusals import Refusals
from flowyard.wire.v1 import management_pb2 as wire

Context = grpc.aio.ServicerContext[Any, Any]

_DAPR = "dapr.proto.runtime.v1.Dapr"
_TASK_HUB = "TaskHubSidecarService"
_BLOCKS = {
    "InvokeBinding": (
        grpc.StatusCode.INTERNAL,
        "error invoking output binding {name}: couldn't find output binding {name}",
    ),
    "InvokeService": (
        grpc.StatusCode.INTERNAL,
        "failed to invoke, id: {name}, err: no application and no HTTPEndpoint has this name",
    ),
}


class Requests:
    """The messages of a streaming call, of which the first can be looked at before it is taken."""

    def __init__(self, messages: AsyncIterator[bytes]) -> None:
        self._messages = messages
        self._first: bytes | None = None

    async def first(self) -> bytes:
        """Return the first message, which stays to be taken; an empty one if there is none."""
        if self._first is None:
            self._first = await anext(aiter(self._messages), None)
        return self._first or b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        async for message in self._messages:
            yield message


class UnservedMethods(grpc.GenericRpcHandler):
    """Takes the methods that no other handler has, and the calls that a handler does not serve.

    They are forwarded to a daprd, or refused in its words.

    Args:
        forwarding: The way to the daprd; None without one.
        daprd: The daprd that is configured, if any; it may have no gRPC address.
        unserved: Why components of the configuration cannot be used, by their names.
    """

    def __init__(
        self,
        refusals: Refusals,
        forwarding: GrpcForwarding | None = None,
        daprd: Daprd | None = None,
        unserved: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._refusals = refusals
        self._forwarding = forwarding
        self._daprd = daprd
        self._unserved = unserved

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return what forwards or refuses a method, None if it is of another service."""
        path = handler_call_details.method
        service = path.lstrip("/").partition("/")[0]
        # The task hub is ours whatever the method: a daprd shall not run workflows beside us.
        if self._forwarding is not None and service != _TASK_HUB:
            return self._handler(path, self._forwarding.stream)
        return self._handler(path, self._refuse) if service in {_DAPR, _TASK_HUB} else None

    async def unary(self, path: str, request: bytes, error: NotServed, context: Context) -> bytes:
        """Answer a unary call that its handler does not serve."""
        if self._forwarding is not None:
            return await self._forwarding.unary(path, request, context)
        await self._abort(path, request, context, error)
        return b""

    async def stream(
        self, path: str, requests: Requests, error: NotServed, context: Context
    ) -> None:
        """Answer a streaming call that its handler does not serve."""
        if self._forwarding is not None:
            await self._forwarding.stream(path, aiter(requests), context)
        else:
            await self._abort(path, await requests.first(), context, error)

    def _handler(
        self, path: str, answer: Callable[[str, AsyncIterator[bytes], Context], Awaitable[None]]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        async def behave(requests: AsyncIterator[bytes], context: Context) -> None:
            await answer(path, requests, context)

        # Of all kinds of methods: what is sent looks the same.
        return grpc.stream_stream_rpc_method_handler(behave, None, None)

    async def _refuse(self, path: str, requests: AsyncIterator[bytes], context: Context) -> None:
        await self._abort(path, await anext(aiter(requests), b""), context)

    async def _abort(
        self, path: str, request: bytes, context: Context, error: NotServed | None = None
    ) -> None:
        service, _, method = path.lstrip("/").partition("/")
        unserved = grpc.StatusCode.UNIMPLEMENTED, f"{method} is not served here"
        code, text = _BLOCKS.get(method, unserved)
        name = _name(request) if error is None else error.name
        reason = text.format(name=name)
        if error is not None and error.otherwise is not None:
            code, reason = status_of(error.otherwise)
        if service == _DAPR:
            reason += f". {advice(name, 'grpc', self._daprd, self._unserved)}"
        self._refusals.tell(code.name, method, context.peer(), reason)
        if error is not None and isinstance(error.otherwise, BlockError):
            await context.abort(code, reason, trailing_metadata(error.otherwise, reason))
        await context.abort(code, reason)


def _name(request: bytes) -> str:
    try:
        return wire.BlockRequest.FromString(request).name
    except DecodeError:
        return ""
