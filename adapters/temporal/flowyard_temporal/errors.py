"""What Temporal's refusals mean, in one place."""

from __future__ import annotations

import re

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.service import RPCError, RPCStatusCode

from flowyard.backend import (
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
# What the SDK's text says when it cannot connect, and what that means. It tells nothing but text.
_OPENING = (
    (
        r"InvalidCertificate\(NotValidForName",
        "its certificate is for another name. Correct the key 'tlsServerName'",
    ),
    (
        r"InvalidCertificate\(",
        "its certificate is not trusted. Correct the key 'tlsServerCa'",
    ),
    (r"InconsistentKeys", "the keys 'tlsClientCert' and 'tlsClientKey' do not belong together"),
    (r"InvalidMessage\(", "it does not speak TLS. Set the key 'tls' to false"),
    (
        r"code: (PermissionDenied|Unauthenticated)",
        "it refuses access. Correct the key 'apiKey' or the client certificate",
    ),
)
# Likewise, where there may be nobody. What it quotes of Rust helps nobody.
_UNREACHABLE = (
    (r"ConnectionRefused", "Connection refused: nothing listens there"),
    (r"dns error|failed to lookup address", "its name cannot be resolved"),
    (r"(Host|Network)Unreachable", "there is no route to it"),
    (r"TimedOut|deadline has elapsed", "it does not answer"),
)
_CUT_OFF = r"fatal alert|BrokenPipe|ConnectionReset|connection closed|unexpected end of file"


class Rejected(FlowyardError):
    """An answer whose meaning depends on what was asked; `status` says which answer."""

    def __init__(self, message: str, status: RPCStatusCode) -> None:
        super().__init__(message)
        self.status = status


def error_of(error: RPCError, where: str) -> FlowyardError:
    """Return what a failed call means to a caller; `where` names component and server."""
    status, reason = error.status, error.message.rstrip(".")
    if status in _DENIED:
        return ConfigurationError(
            f"{where} refuses access: {reason}. Check the keys 'apiKey' and 'tlsClientCert', and "
            "what their holder is allowed to do."
        )
    if _is_namespace_missing(error):
        return ConfigurationError(
            f"{where}: {reason}. Register the namespace or correct the key 'namespace'."
        )
    if status is RPCStatusCode.INVALID_ARGUMENT:
        return InvalidRequest(f"{where} refuses the request: {reason}")
    if status in _FOR_THE_CALLER:
        return Rejected(f"{where} refuses the request: {reason}", status)
    if status is RPCStatusCode.RESOURCE_EXHAUSTED:
        return BackendUnavailable(
            f"{where} has received too many requests: {reason}. Try again later."
        )
    return BackendUnavailable(f"{where} did not answer ({status.name}): {reason}")


def opening_error_of(error: RuntimeError, where: str) -> FlowyardError:
    """Return why the connection could not be made."""
    text = str(error).removeprefix("Failed client connect: ")
    for pattern, meaning in _OPENING:
        if re.search(pattern, text):
            return ConfigurationError(f"{where} cannot be used: {meaning}. ({text})")
    for pattern, meaning in _UNREACHABLE:
        if re.search(pattern, text):
            return BackendUnavailable(
                f"{where} cannot be reached: {meaning}. Start the server, or correct the key "
                "'hostPort'."
            )
    if re.search(_CUT_OFF, text):
        text += ". It may want TLS (key 'tls') or a client certificate (key 'tlsClientCert')"
    return BackendUnavailable(f"{where} cannot be reached: {text}")


def _is_namespace_missing(error: RPCError) -> bool:
    return any(
        detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details
    )
