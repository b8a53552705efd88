"""Errors as the wire shows them, and as a client makes them errors again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowyard.errors import (
    AccessDenied,
    BackendUnavailable,
    ComponentNotFound,
    EventNotFound,
    FlowyardError,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InvalidInstanceId,
    InvalidRequest,
    PayloadError,
    UnsupportedOperation,
    WorkflowNotRegistered,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """An HTTP status, Dapr's `errorCode`, a message, and what the error's class remembers."""

    status: int
    code: str
    message: str
    details: Mapping[str, str] = field(default_factory=dict)
    rich: Sequence[Mapping[str, Any]] = ()
    """The details in the shape of google.rpc, which stand in place of the others."""


class RequestFault(Exception):
    """Raised where a request cannot be understood, before it reaches the runtime."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(status, code, message)


@dataclass(frozen=True, slots=True)
class _Kind:
    error: type[FlowyardError]
    status: int
    code: str


# A subclass stands before its base.
_KINDS = (
    _Kind(AccessDenied, 401, "ERR_ACCESS_DENIED"),
    _Kind(ComponentNotFound, 400, "ERR_WORKFLOW_COMPONENT_NOT_FOUND"),
    _Kind(InvalidInstanceId, 400, "ERR_INSTANCE_ID_INVALID"),
    _Kind(PayloadError, 400, "ERR_PAYLOAD_INVALID"),
    _Kind(InvalidRequest, 400, "ERR_REQUEST_INVALID"),
    _Kind(InstanceNotFound, 404, "ERR_INSTANCE_ID_NOT_FOUND"),
    _Kind(EventNotFound, 404, "ERR_EVENT_ID_NOT_FOUND"),
    _Kind(WorkflowNotRegistered, 404, "ERR_WORKFLOW_NOT_REGISTERED"),
    _Kind(InstanceAlreadyExists, 409, "ERR_INSTANCE_ALREADY_EXISTS"),
    _Kind(InstanceNotClosed, 409, "ERR_INSTANCE_NOT_CLOSED"),
    _Kind(UnsupportedOperation, 501, "ERR_OPERATION_UNSUPPORTED"),
    _Kind(BackendUnavailable, 503, "ERR_BACKEND_UNAVAILABLE"),
)

INTERNAL = Fault(500, "ERR_INTERNAL", "internal error: the server's log says more")

# What the caller has done wrong though the request reached no runtime.
_MALFORMED = {"ERR_MALFORMED_REQUEST", "ERR_BODY_READ", "ERR_INSTANCE_ID_PROVIDED_MISSING"}


def fault_of(error: Exception) -> Fault:
    """Return how the wire shows an error; one that has no place there is `INTERNAL`."""
    if isinstance(error, RequestFault):
        return error.fault
    for kind in _KINDS:
        if isinstance(error, kind.error):
            details = {name: value for name, value in vars(error).items() if isinstance(value, str)}
            return Fault(kind.status, kind.code, str(error), details)
    return INTERNAL


def error_of(fault: Fault) -> FlowyardError:
    """Return the error that a fault was made of."""
    kinds = (kind.error for kind in _KINDS if kind.code == fault.code)
    found = next(kinds, InvalidRequest if fault.code in _MALFORMED else FlowyardError)
    # Not through __init__, which writes a message of its own.
    error = found.__new__(found, fault.message)
    error.__dict__.update(fault.details)
    return error
