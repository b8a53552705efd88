"""`InvokeBinding` of `dapr.proto.runtime.v1.Dapr` (docs/protocol.md §17)."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.blocks.blocks import Blocks
from flowyard.errors import BindingFailed, FlowyardError
from flowyard.server.block_errors import BlockError
from flowyard.server.grpc.metadata import Context, sendable, text_metadata
from flowyard.server.not_served import NotServed
from flowyard.wire.v1 import bindings_pb2 as wire


class BindingsService:
    """Each request names its binding."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    async def invoke_binding(
        self, request: wire.InvokeBindingRequest, context: Context
    ) -> wire.InvokeBindingResponse:
        """Answer with what the binding answers."""
        found = self._blocks.bindings.get(request.name)
        if found is None:
            raise NotServed("bindings", request.name)
        metadata = {**dict(text_metadata(context)), **request.metadata}
        try:
            answer = await found.invoke(request.operation, request.data, metadata)
        except FlowyardError as error:
            if isinstance(error, BindingFailed):
                await _tell(context, error.metadata)
            text = f"error invoking output binding {request.name}: {error}"
            raise BlockError(500, "ERR_INVOKE_OUTPUT_BINDING", "INTERNAL", text) from error
        await _tell(context, answer.metadata)
        return wire.InvokeBindingResponse(data=answer.data or b"", metadata=answer.metadata)


async def _tell(context: Context, metadata: Mapping[str, str]) -> None:
    await context.send_initial_metadata(sendable(metadata.items(), "metadata."))
