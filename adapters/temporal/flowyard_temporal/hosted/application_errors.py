"""Failures as Temporal's errors and back, with nothing lost on the way."""

from __future__ import annotations

import msgspec
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
)

from flowyard.backend import FailureDetails, InstanceAlreadyExists
from flowyard_temporal.hosted.raw import raw
from flowyard_temporal.native.failures import HostedFailure


class HostedError(ApplicationError):
    """Ends an activity or a workflow for good, in Temporal's eyes."""


def error_of(failure: FailureDetails) -> HostedError:
    """Return the error that tells of a failure."""
    return HostedError(
        failure.message,
        raw(msgspec.json.encode(HostedFailure(failure))),
        type=failure.error_type,
        non_retryable=True,
    )


def failure_of(error: BaseException, child_id: str | None = None) -> FailureDetails:
    """Return why an activity failed, or the child of that ID."""
    cause: BaseException = error
    while isinstance(cause, (ActivityError, ChildWorkflowError)) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, ApplicationError):
        if cause.details:
            try:
                return msgspec.convert(cause.details[0], HostedFailure).flowyard_failure
            except msgspec.ValidationError:
                pass  # raised by an activity of somebody else's
        inner = failure_of(cause.cause) if isinstance(cause.cause, FailureError) else None
        return FailureDetails(cause.type or "ApplicationError", cause.message, cause=inner)
    if isinstance(cause, TerminatedError) and child_id is not None:
        return termination_of(child_id)
    return FailureDetails(type(cause).__name__, str(cause))


def refusal_of(child_id: str) -> FailureDetails:
    """Return why a child was not started whose ID another instance has."""
    return FailureDetails.of(InstanceAlreadyExists(child_id, "active"))


def termination_of(child_id: str) -> FailureDetails:
    """Return why a child that others have ended has no result."""
    return FailureDetails("WorkflowTerminated", f"child workflow '{child_id}' was terminated")
