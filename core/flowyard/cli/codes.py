"""The exit codes of the command; docs/cli.md lists them."""

from __future__ import annotations

from flowyard.errors import (
    AccessDenied,
    BackendUnavailable,
    ComponentNotFound,
    EventNotFound,
    FlowyardError,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    WorkflowNotRegistered,
)

FAILED = 1
"""The workflow ended with another status than COMPLETED, or the suite failed."""
USAGE = 2
"""The command line cannot be understood."""
REFUSED = 3
"""The request is not valid, not configured or not supported."""
NOT_FOUND = 4
CONFLICT = 5
UNREACHABLE = 6
ACCESS_DENIED = 7
TIMED_OUT = 8
INTERRUPTED = 130

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (InstanceNotFound, NOT_FOUND),
    (EventNotFound, NOT_FOUND),
    (WorkflowNotRegistered, NOT_FOUND),
    (ComponentNotFound, NOT_FOUND),
    (InstanceAlreadyExists, CONFLICT),
    (InstanceNotClosed, CONFLICT),
    (BackendUnavailable, UNREACHABLE),
    (AccessDenied, ACCESS_DENIED),
    (TimeoutError, TIMED_OUT),
    (FlowyardError, REFUSED),
)


def exit_code(error: Exception) -> int:
    """Return the exit code that an error leads to."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
