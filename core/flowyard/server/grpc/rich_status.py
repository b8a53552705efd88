"""The details of an error as gRPC carries them: a google.rpc.Status in the trailing metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from flowyard.server.block_errors import BlockError
from flowyard.wire.v1 import status_pb2 as wire

_KEY = "grpc-status-details-bin"
_KINDS: Mapping[str, type[Message]] = {
    kind.DESCRIPTOR.name: kind
    for kind in (wire.ErrorInfo, wire.ResourceInfo, wire.BadRequest, wire.Help)
}


def trailing_metadata(error: BlockError, message: str = "") -> tuple[tuple[str, bytes], ...]:
    """Return what goes with the status of an error, whose own message is that of the error."""
    details = [_packed(detail) for detail in error.details]
    status = wire.Status(
        code=grpc.StatusCode[error.grpc_code].value[0],
        message=message or error.fault.message,
        details=details,
    )
    return ((_KEY, status.SerializeToString()),)


def _packed(detail: Mapping[str, Any]) -> Packed:
    url = str(detail["@type"])
    fields = {name: value for name, value in detail.items() if name != "@type"}
    message = ParseDict(fields, _KINDS[url.rpartition(".")[2]]())
    # Not by `Pack`, which would name it by our own package.
    return Packed(type_url=url, value=message.SerializeToString())
