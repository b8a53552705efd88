"""Temporal's failures as ours."""

from __future__ import annotations

import msgspec
from temporalio.api.enums.v1 import TimeoutType
from temporalio.api.failure.v1 import Failure

from flowyard.backend import FailureDetails

_DEEPEST = 20

TIMED_OUT = FailureDetails(
    "TimeoutError", "the workflow took longer than its run or execution timeout allows"
)
CANCELED = FailureDetails("CancelledError", "it was cancelled")


class HostedFailure(msgspec.Struct, forbid_unknown_fields=True):
    """What errors of hosted workflows and activities carry besides what Temporal knows."""

    flowyard_failure: FailureDetails


_decoder = msgspec.json.Decoder(HostedFailure)


def hosted_failure(data: bytes) -> FailureDetails | None:
    """Return the failure in the details of an error, None if it comes from elsewhere."""
    try:
        return _decoder.decode(data).flowyard_failure
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def details_of(failure: Failure, *, causes: int = _DEEPEST) -> FailureDetails:
    """Return type, message, stack and causes. What SDKs encode stays in Temporal's own words."""
    whole = failure.application_failure_info.details.payloads
    if whole and (known := hosted_failure(whole[0].data)) is not None:
        return known
    has_cause = failure.HasField("cause") and causes > 0
    return FailureDetails(
        error_type=_type_of(failure),
        message=failure.message,
        stack_trace=_stack_of(failure),
        cause=details_of(failure.cause, causes=causes - 1) if has_cause else None,
        non_retryable=failure.application_failure_info.non_retryable
        or failure.server_failure_info.non_retryable,
    )


def _stack_of(failure: Failure) -> str | None:
    """Return the stack with the line that Temporal's SDKs leave out: what was raised."""
    frames = failure.stack_trace
    if not frames:
        return None
    raised = f"{_type_of(failure)}: {failure.message}"
    if frames.startswith('  File "'):
        return f"Traceback (most recent call last):\n{frames.rstrip()}\n{raised}\n"
    return f"{raised}\n{frames}"


def _type_of(failure: Failure) -> str:
    kind = failure.WhichOneof("failure_info")
    if kind == "application_failure_info":
        return failure.application_failure_info.type or "ApplicationError"
    if kind == "timeout_failure_info":
        timeout = failure.timeout_failure_info.timeout_type
        return "TimeoutError" if not timeout else f"TimeoutError.{TimeoutType.Name(timeout)}"
    return _TYPES.get(kind or "", "Error")


# As the exceptions of Temporal's SDKs are called.
_TYPES = {
    "canceled_failure_info": "CancelledError",
    "terminated_failure_info": "TerminatedError",
    "server_failure_info": "ServerError",
    "reset_workflow_failure_info": "ResetWorkflowError",
    "activity_failure_info": "ActivityError",
    "child_workflow_execution_failure_info": "ChildWorkflowError",
    "nexus_operation_execution_failure_info": "NexusOperationError",
    "nexus_handler_failure_info": "HandlerError",
}
