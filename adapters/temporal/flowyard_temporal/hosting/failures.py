"""Failures as Temporal's errors and back, with nothing lost on the way."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
)

from flowyard.models import FailureDetails

_DETAILS = "flowyard.failure"


def error_of(failure: FailureDetails) -> ApplicationError:
    """Return the error that ends an activity or a workflow for good, in Temporal's eyes."""
    return ApplicationError(
        failure.message,
        {_DETAILS: msgspec.to_builtins(failure)},
        type=failure.error_type,
        non_retryable=True,
    )


def failure_in(details: object) -> FailureDetails | None:
    """Return the failure that `error_of` put into an error's details, if it did."""
    if isinstance(details, Mapping) and _DETAILS in details:
        return msgspec.convert(details[_DETAILS], FailureDetails)
    return None


def failure_of(error: BaseException, child_id: str | None = None) -> FailureDetails:
    """Return why an activity failed, or the child of that ID."""
    cause: BaseException = error
    while isinstance(cause, (ActivityError, ChildWorkflowError)) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, ApplicationError):
        known = failure_in(cause.details[0]) if cause.details else None
        if known is not None:
            return known
        inner = failure_of(cause.cause) if isinstance(cause.cause, FailureError) else None
        return FailureDetails(cause.type or "ApplicationError", cause.message, cause=inner)
    if isinstance(cause, TerminatedError) and child_id is not None:
        return FailureDetails("WorkflowTerminated", f"child workflow '{child_id}' was terminated")
    return FailureDetails(type(cause).__name__, str(cause))
