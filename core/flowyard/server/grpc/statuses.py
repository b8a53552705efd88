"""Errors as gRPC shows them."""

from __future__ import annotations

import grpc

from flowyard.server.block_errors import BlockError
from flowyard.wire.json.errors import fault_of

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


def status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """Return the code and the text; `INTERNAL` for an error that has no place on the wire."""
    fault = fault_of(error)
    if isinstance(error, BlockError):
        return grpc.StatusCode[error.grpc_code], fault.message
    if fault.code == "ERR_INSTANCE_NOT_CLOSED":
        # The words that daprd has for it, which callers may look for.
        text = f"orchestration has not yet completed: {fault.message}"
        return grpc.StatusCode.FAILED_PRECONDITION, text
    return _CODES.get(fault.status, grpc.StatusCode.INTERNAL), fault.message
