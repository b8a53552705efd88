"""What is not served here, said in the words of Dapr's sidecar (docs/protocol.md §12)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from flowyard.server.refusals import Refusals
from flowyard.wire.v1 import management_pb2 as wire

Context = grpc.aio.ServicerContext[Any, Any]

_SERVICES = ("dapr.proto.runtime.v1.Dapr", "TaskHubSidecarService")
_PUBLISHING = ("PublishEvent", "BulkPublishEvent", "BulkPublishEventAlpha1")
_UNCONFIGURED = grpc.StatusCode.FAILED_PRECONDITION
_BLOCKS = {
    **dict.fromkeys(_PUBLISHING, (_UNCONFIGURED, "pubsub {name} is not configured")),
    "SubscribeTopicEventsAlpha1": (_UNCONFIGURED, "pubsub is not configured"),
    "InvokeBinding": (
        grpc.StatusCode.INTERNAL,
        "error invoking output binding {name}: couldn't find output binding {name}",
    ),
    "InvokeService": (
        grpc.StatusCode.INTERNAL,
        "failed to invoke, id: {name}, err: service invocation is not served here",
    ),
}


class UnservedMethods(grpc.GenericRpcHandler):
    """Refuses the methods of Dapr's services that no other handler has."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return what refuses a method, None if it is of another service."""
        service, _, method = handler_call_details.method.lstrip("/").partition("/")
        if service not in _SERVICES:
            return None
        unserved = grpc.StatusCode.UNIMPLEMENTED, f"{method} is not served here"
        code, text = _BLOCKS.get(method, unserved)

        async def refuse(requests: AsyncIterator[bytes], context: Context) -> None:
            first = await anext(aiter(requests), b"")
            reason = text.format(name=_name(first))
            self._refusals.tell(code.name, method, context.peer(), reason)
            await context.abort(code, reason)

        # Of all kinds of methods: what is sent looks the same.
        return grpc.stream_stream_rpc_method_handler(refuse, None, None)


def _name(request: bytes) -> str:
    try:
        return wire.BlockRequest.FromString(request).name
    except DecodeError:
        return ""
