"""Times, texts, failures and statuses as protobuf has them."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue

from flowyard.backend.timestamps import NEVER
from flowyard.errors import InvalidRequest
from flowyard.failure import FailureDetails
from flowyard.models import WorkflowStatus
from flowyard.wire.v1 import taskhub_pb2 as wire

# docs/protocol.md §14: the statuses by number.
STATUSES = (
    WorkflowStatus.RUNNING,
    WorkflowStatus.COMPLETED,
    WorkflowStatus.CONTINUED_AS_NEW,
    WorkflowStatus.FAILED,
    WorkflowStatus.CANCELED,
    WorkflowStatus.TERMINATED,
    WorkflowStatus.PENDING,
    WorkflowStatus.SUSPENDED,
    WorkflowStatus.STALLED,
)
NUMBERS = {status: number for number, status in enumerate(STATUSES)}

_SECOND = 1_000_000
# Failures come from outside: a chain of causes has an end, and recursion must not be the judge.
_MOST_CAUSES = 50


def timestamp(microseconds: int) -> Timestamp:
    """Return a time; NEVER becomes Dapr's sentinel, which has nanoseconds."""
    if microseconds >= NEVER:
        return Timestamp(seconds=NEVER // _SECOND, nanos=999_999_999)
    seconds, rest = divmod(microseconds, _SECOND)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def timestamp_of(time: datetime) -> Timestamp:
    """Return an aware time."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def microseconds(stamp: Timestamp) -> int:
    """Return a time, rounded up: a timer must not fire early."""
    return max(0, min(stamp.seconds * _SECOND + -(-stamp.nanos // 1000), NEVER))


def datetime_of(stamp: Timestamp) -> datetime:
    """Return an aware time in UTC; raises `InvalidRequest` for one that no datetime can be."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"{stamp.seconds} s after 1970 is not a valid time") from error


def check_app(target: str, own: str) -> None:
    """Raise `InvalidRequest` for what is meant for another app, rather than do it here."""
    if target and target != own:
        raise InvalidRequest(
            f"this is for app '{target}', and this server serves app '{own}': several apps are not "
            "served yet. Leave the app's ID out."
        )


def string(text: str | None) -> StringValue | None:
    """Return a text that may be absent, which is not the same as empty."""
    return None if text is None else StringValue(value=text)


def failure(details: FailureDetails | None) -> wire.TaskFailureDetails | None:
    """Return a failure with its causes."""
    if details is None:
        return None
    return wire.TaskFailureDetails(
        error_type=details.error_type,
        error_message=details.message,
        stack_trace=string(details.stack_trace),
        inner_failure=failure(details.cause),
        is_non_retriable=details.non_retryable,
    )


def failure_of(message: wire.TaskFailureDetails, causes: int = _MOST_CAUSES) -> FailureDetails:
    """Read a failure with its causes."""
    inner = message.inner_failure if message.HasField("inner_failure") else None
    return FailureDetails(
        message.error_type or "Error",
        message.error_message,
        message.stack_trace.value if message.HasField("stack_trace") else None,
        failure_of(inner, causes - 1) if inner is not None and causes else None,
        message.is_non_retriable,
    )
