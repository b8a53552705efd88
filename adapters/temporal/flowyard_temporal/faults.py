"""What Temporal's refusals mean, in one place."""

from __future__ import annotations

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.service import RPCError, RPCStatusCode

from flowyard.errors import (
    BackendUnavailable,
    ConfigurationError,
    FlowyardError,
    InvalidRequest,
)

_DENIED = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED})
_FOR_THE_CALLER = frozenset(
    {
        RPCStatusCode.NOT_FOUND,
        RPCStatusCode.ALREADY_EXISTS,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.UNIMPLEMENTED,
    }
)


class Rejected(FlowyardError):
    """An answer whose meaning depends on what was asked; `status` says which answer."""

    def __init__(self, message: str, status: RPCStatusCode) -> None:
        super().__init__(message)
        self.status = status


def error_of(error: RPCError, where: str) -> FlowyardError:
    """Return what a failed call means to a caller; `where` names component and server."""
    status = error.status
    if status in _DENIED:
        return ConfigurationError(
            f"{where} refuses access: {error.message}. Check apiKey, the client certificate and "
            "what they are allowed to do."
        )
    if _is_namespace_missing(error):
        return ConfigurationError(
            f"{where}: {error.message}. Register the namespace or correct the key 'namespace'."
        )
    if status is RPCStatusCode.INVALID_ARGUMENT:
        return InvalidRequest(f"{where} refuses the request: {error.message}")
    if status in _FOR_THE_CALLER:
        return Rejected(f"{where} refuses the request: {error.message}", status)
    if status is RPCStatusCode.RESOURCE_EXHAUSTED:
        return BackendUnavailable(
            f"{where} has had too many requests: {error.message}. Try again later."
        )
    return BackendUnavailable(f"{where} did not answer ({status.name}): {error.message}")


def _is_namespace_missing(error: RPCError) -> bool:
    return any(
        detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details
    )
