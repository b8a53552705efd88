"""The values that cross the seam: what callers ask for and what they get back."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar, overload

from flowyard import payload
from flowyard.errors import (
    InvalidInstanceId,
    InvalidRequest,
    NonRetryableError,
    WorkflowFailed,
)

T = TypeVar("T")

_INSTANCE_ID = re.compile(r"[A-Za-z0-9_\-.:]{1,255}")


def check_instance_id(instance_id: str) -> str:
    """Return the ID if it has 1 to 255 of letters, digits, `_ - . :`.

    Raises `InvalidInstanceId`.
    """
    if _INSTANCE_ID.fullmatch(instance_id) is None:
        raise InvalidInstanceId(instance_id)
    return instance_id


def check_text(text: str, what: str) -> str:
    """Return text that can be stored, or raise `InvalidRequest`: lone surrogates cannot."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidRequest(f"the {what} {text!r} is not Unicode text: {error}") from error
    return text


class WorkflowStatus(StrEnum):
    """Dapr's statuses (PROTOCOL §14)."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CONTINUED_AS_NEW = "CONTINUED_AS_NEW"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TERMINATED = "TERMINATED"
    PENDING = "PENDING"
    SUSPENDED = "SUSPENDED"
    STALLED = "STALLED"

    @property
    def is_closed(self) -> bool:
        """True where nothing more can happen to the instance."""
        return self in _CLOSED


_CLOSED = frozenset(
    {
        WorkflowStatus.COMPLETED,
        WorkflowStatus.FAILED,
        WorkflowStatus.CANCELED,
        WorkflowStatus.TERMINATED,
    }
)


@dataclass(frozen=True, slots=True)
class FailureDetails:
    """Why a task or an instance failed: the error's class name, message, stack and cause."""

    error_type: str
    message: str
    stack_trace: str | None = None
    cause: FailureDetails | None = None
    non_retryable: bool = False

    @staticmethod
    def of(error: BaseException, *, causes: int = 10) -> FailureDetails:
        """Describe an exception with its stack and its chain of causes, up to so many."""
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        # A TaskFailedError carries what failed elsewhere; that is the more telling cause.
        inner = getattr(error, "details", None)
        if not isinstance(inner, FailureDetails):
            inner = None
            if cause is not None and causes > 0:
                inner = FailureDetails.of(cause, causes=causes - 1)
        return FailureDetails(
            error_type=type(error).__name__,
            message=_text_of(error),
            stack_trace=_storable("".join(traceback.format_exception(error, chain=False))),
            cause=inner,
            non_retryable=isinstance(error, NonRetryableError),
        )


def _text_of(error: BaseException) -> str:
    try:
        return _storable(str(error))
    except Exception as fault:  # noqa: BLE001 - an error that cannot be told is still an error
        return f"(its message cannot be shown: {type(fault).__name__})"


def _storable(text: str) -> str:
    # File names that are not UTF-8 reach messages as lone surrogates, which JSON cannot hold.
    return text.encode("utf-8", "backslashreplace").decode()


class ReusePolicy(StrEnum):
    """What a start may do with the ID of a closed instance. An active one is never replaced."""

    REPLACE_CLOSED = "replace-closed"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """One start. `input` is JSON text (None: absent); `start_at` is an aware time (None: now)."""

    workflow: str
    instance_id: str
    input: str | None = None
    start_at: datetime | None = None
    reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED
    options: Mapping[str, str] = field(default_factory=dict)
    is_new_id: bool = False
    """Whether the ID was made for this start, so that nobody else can have it."""


@dataclass(frozen=True, slots=True)
class RerunRequest:
    """A copy of a closed instance, under a new ID, that goes on from one of its events.

    `input` is JSON text; it replaces that of the event only if `overwrite_input` says so.
    """

    source_id: str
    event_id: int
    instance_id: str
    input: str | None = None
    overwrite_input: bool = False
    child_instance_id: str | None = None
    """The new ID of the child workflow, where the event calls one."""


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """What is known of an instance. Times are aware UTC; payloads are JSON text, None if absent.

    `detail` is for people: what the instance waits for or why it is STALLED.
    """

    instance_id: str
    workflow: str
    status: WorkflowStatus
    created_at: datetime
    last_updated_at: datetime
    input: str | None = None
    output: str | None = None
    custom_status: str | None = None
    failure: FailureDetails | None = None
    parent_instance_id: str | None = None
    detail: str | None = None

    @overload
    def result(self) -> object: ...
    @overload
    def result(self, result_type: type[T]) -> T: ...
    def result(self, result_type: object = None) -> object:
        """Return the output as `result_type` (plain JSON values without one).

        Raises `WorkflowFailed` unless the instance is COMPLETED, `PayloadError` if it does not fit.
        """
        if self.status is not WorkflowStatus.COMPLETED:
            raise WorkflowFailed(self)
        what = f"output of instance '{self.instance_id}'"
        return payload.PayloadType.of(result_type).decode(self.output, what)


@dataclass(frozen=True, slots=True)
class InstanceQuery:
    """Which instances to list, newest first. None means any; a page starts after its token."""

    workflow: str | None = None
    status: frozenset[WorkflowStatus] = frozenset()
    created_from: datetime | None = None
    created_to: datetime | None = None
    instance_id_prefix: str | None = None
    page_size: int = 100
    continuation_token: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.page_size <= 1000:
            raise InvalidRequest(f"page_size is {self.page_size}: use 1 to 1000")


@dataclass(frozen=True, slots=True)
class InstancePage:
    """One page of a listing, without payloads. A None token: nothing follows."""

    instances: tuple[WorkflowState, ...]
    continuation_token: str | None = None
