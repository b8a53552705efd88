"""Errors of building blocks in daprd's words, for either face (docs/protocol.md §15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowyard.wire.json.errors import Fault, RequestFault

DOMAIN = "dapr.io"
_TYPE = "type.googleapis.com/google.rpc."

Detail = Mapping[str, Any]


class BlockError(RequestFault):
    """What a block answers where it does not do what it was asked for.

    Args:
        status: The status over HTTP.
        code: The `errorCode` over HTTP.
        grpc_code: The name of the status over gRPC.
        message: What has happened, for both.
        reason: The reason in the ErrorInfo over gRPC; the `errorCode` by default.
        details: The details besides the ErrorInfo. None, the default, for an error that has none
            over HTTP.
        info: The metadata of the ErrorInfo; none by default.
    """

    def __init__(
        self,
        status: int,
        code: str,
        grpc_code: str,
        message: str,
        *,
        reason: str = "",
        details: Sequence[Detail] | None = None,
        info: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, code, message)
        self.grpc_code = grpc_code
        self.details: Sequence[Detail] = [
            {
                "@type": f"{_TYPE}ErrorInfo",
                "reason": reason or code,
                "domain": DOMAIN,
                "metadata": dict(info or {}),
            },
            *(details or ()),
        ]
        if details is not None:
            self.fault = Fault(status, code, message, rich=self.details)


def resource(kind: str, name: str) -> Detail:
    """Return the detail that names a component."""
    return {
        "@type": f"{_TYPE}ResourceInfo",
        "resource_type": kind,
        "resource_name": name,
        "owner": "",
        "description": "",
    }


def violation(field: str, description: str) -> Detail:
    """Return the detail that names a field which cannot be accepted."""
    fields = [{"field": field, "description": description}]
    return {"@type": f"{_TYPE}BadRequest", "field_violations": fields}


def help_link(url: str, description: str) -> Detail:
    """Return the detail that says where to read more."""
    return {"@type": f"{_TYPE}Help", "links": [{"url": url, "description": description}]}


def malformed(message: str) -> BlockError:
    """Return the error for a request that cannot be understood."""
    return BlockError(400, "ERR_MALFORMED_REQUEST", "INVALID_ARGUMENT", message)
