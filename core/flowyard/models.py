"""The values that cross the seam: what callers ask for and what they get back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, overload

from flowyard import payload
from flowyard.errors import (
    FlowyardError,
    InvalidInstanceId,
    InvalidRequest,
    PayloadError,
)
from flowyard.failure import FailureDetails

T = TypeVar("T")

_INSTANCE_ID = re.compile(r"[A-Za-z0-9_\-.:]{1,255}")
_LONGEST_ID = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_instance_id(instance_id: str) -> str:
    """Return the ID if it has 1 to 255 of letters, digits, `_ - . :`.

    Raises `InvalidInstanceId`. An ID that another rule has checked is taken as it is.
    """
    if isinstance(instance_id, CheckedId):
        return str(instance_id)
    if not isinstance(instance_id, str):
        raise InvalidRequest(
            f"an instance ID must be text, not {type(instance_id).__name__!r}: write str(…)"
        )
    if _INSTANCE_ID.fullmatch(instance_id) is None:
        raise InvalidInstanceId(instance_id)
    return instance_id


class CheckedId(str):
    """An ID that was checked where it came in, by a rule of its own."""

    __slots__ = ()


def check_any_id(instance_id: str) -> CheckedId:
    """Return an ID as Dapr takes it from SDKs: 1 to 255 characters, none of them for control.

    Raises `InvalidInstanceId`.
    """
    if not 1 <= len(instance_id) <= _LONGEST_ID or _CONTROL.search(instance_id) is not None:
        raise InvalidInstanceId(instance_id, "characters that can be printed")
    return CheckedId(check_text(instance_id, "instance ID"))


def check_text(text: str, what: str) -> str:
    """Return text that can be stored, or raise `InvalidRequest`: lone surrogates cannot."""
    if not isinstance(text, str):
        raise InvalidRequest(f"the {what} must be text, not {type(text).__name__!r}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidRequest(f"the {what} {text!r} is not Unicode text: {error}") from error
    return text


def check_duration(duration: timedelta | None, what: str) -> None:
    """Raise `InvalidRequest` for what is no timedelta."""
    if duration is not None and not isinstance(duration, timedelta):
        raise InvalidRequest(
            f"the {what} must be a timedelta, not {type(duration).__name__!r}: "
            "write timedelta(seconds=…)"
        )


class WorkflowStatus(StrEnum):
    """The status of an instance; names are Dapr's.

    PENDING has not begun (its start time has not come, or nobody has run it yet), RUNNING is under
    way, SUSPENDED was paused, and STALLED waits for code that fits its history. COMPLETED, FAILED,
    CANCELED (by another engine's own means) and TERMINATED are closed. CONTINUED_AS_NEW is that of
    an execution, not of an instance: the next execution follows at once.
    """

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


class ReusePolicy(StrEnum):
    """What a start may do with the ID of a closed instance. An active one is never replaced.

    REPLACE_CLOSED has the new instance take its place, with nothing left of it; REJECT raises
    `InstanceAlreadyExists`.
    """

    REPLACE_CLOSED = "replace-closed"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """One start, as a component gets it.

    Attributes:
        workflow: The name of the workflow.
        instance_id: The ID of the new instance, which was checked: 1 to 255 characters.
        input: JSON text; None, the default, where there is no input.
        start_at: The time at which it begins, an aware time; None, the default, and a time that has
            passed mean now.
        reuse: Whether a closed instance with the ID is replaced, as it is by default.
        options: Settings of this start that only its backend knows, by their names, such as
            `task_queue` on Temporal; empty by default. The engine has none.
        is_new_id: Whether the ID was made for this start, so that nobody else can have it; False by
            default.
    """

    workflow: str
    instance_id: str
    input: str | None = None
    start_at: datetime | None = None
    reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED
    options: Mapping[str, str] = field(default_factory=dict)
    is_new_id: bool = False


@dataclass(frozen=True, slots=True)
class RerunRequest:
    """A copy of a closed instance, under a new ID, that goes on from one of its events.

    Attributes:
        source_id: The ID of the closed instance.
        event_id: The ID of a TaskScheduled, TimerCreated or ChildCreated of its history.
        instance_id: The ID of the copy.
        input: JSON text that replaces the input of the event if `overwrite_input` says so, None for
            no input; None by default.
        overwrite_input: Whether `input` counts; False by default: the event keeps its own.
        child_instance_id: The ID of the child workflow of the copy, where the event calls one;
            None, the default, has one made.
    """

    source_id: str
    event_id: int
    instance_id: str
    input: str | None = None
    overwrite_input: bool = False
    child_instance_id: str | None = None


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """What is known of an instance. Times are aware UTC; payloads are JSON text, None if absent.

    Attributes:
        instance_id: The ID by which it was started.
        workflow: The name of its workflow.
        status: Its status, of which `is_closed` says whether it is final.
        created_at: The time of its start.
        last_updated_at: The time of its last change.
        input: The input of its current execution; None also in listings, and without payloads.
        output: Its result, or the output that `terminate` gave it; `result` reads the former.
        custom_status: The status that its code has published; `read_custom_status` reads it.
        failure: The reason why it is FAILED or STALLED. A listing need not have it.
        parent_instance_id: The ID of the instance whose child it is; None for all others.
        detail: The reason why it waits or is STALLED, in words for people; None if there is none.
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
    def read_custom_status(self) -> object: ...
    @overload
    def read_custom_status(self, status_type: type[T]) -> T: ...
    def read_custom_status(self, status_type: object = None) -> object:
        """Return the custom status, read from JSON.

        Args:
            status_type: The type that it is read as, such as a dataclass. `str` gives the text
                itself. Without a type it is a plain JSON value, or the text if it is not JSON.

        Returns:
            The custom status; None where the instance has none, whatever the type.

        Raises:
            PayloadError: If it does not fit the type.
            RegistrationError: If JSON cannot be read as the type.
        """
        text = self.custom_status
        if text is None or status_type is str:
            return text
        what = f"custom status of instance '{self.instance_id}'"
        try:
            return payload.PayloadType.of(status_type).decode(text, what)
        except PayloadError:
            if status_type is not None:
                raise
            return text

    @overload
    def result(self) -> object: ...
    @overload
    def result(self, result_type: type[T]) -> T: ...
    def result(self, result_type: object = None) -> object:
        """Return the output, read from JSON.

        Args:
            result_type: The type that it is read as, such as a dataclass; without one it is a plain
                JSON value.

        Returns:
            What the workflow returned; None also where the state was got without payloads.

        Raises:
            WorkflowFailed: Unless the instance is COMPLETED.
            PayloadError: If the output does not fit the type.
            RegistrationError: If JSON cannot be read as the type.
        """
        if self.status is not WorkflowStatus.COMPLETED:
            raise WorkflowFailed(self)
        what = f"output of instance '{self.instance_id}'"
        return payload.PayloadType.of(result_type).decode(self.output, what)


class WorkflowFailed(FlowyardError):
    """The result of an instance was asked for, but it has none: it failed, or is not closed yet.

    Attributes:
        state: The state of the instance; `state.failure` says why it failed.
    """

    def __init__(self, state: WorkflowState) -> None:
        reason = f": {state.failure.error_type}: {state.failure.message}" if state.failure else ""
        super().__init__(
            f"instance '{state.instance_id}' of workflow '{state.workflow}' has no result: "
            f"it is {state.status}{reason}"
        )
        self.state = state


@dataclass(frozen=True, slots=True)
class InstanceQuery:
    """Which instances to list, newest first. By default it is all of them.

    Attributes:
        workflow: The name of the workflow whose instances are wanted; any by default.
        status: The statuses that are wanted; any by default. One alone, and names, will do, too.
        created_from: The time at or after which they were created, of which a naive one is UTC; any
            by default.
        created_to: The time before which they were created, of which a naive one is UTC; any by
            default.
        instance_id_prefix: The text with which their IDs begin; any by default.
        page_size: The largest number of instances on a page, 1 to 1000; 100 by default.
        continuation_token: The token of the page before; None, the default, for the first page.

    Raises:
        InvalidRequest: For a value of another type, an unknown status, or a page size that is not 1
            to 1000.

    Example:
        ```python
        query = InstanceQuery(workflow="order", status={WorkflowStatus.FAILED})
        while True:
            page = await runtime.list(query)
            for state in page.instances:
                print(state.instance_id, state.created_at)
            if page.continuation_token is None:
                break
            query = replace(query, continuation_token=page.continuation_token)
        ```
    """

    workflow: str | None = None
    status: frozenset[WorkflowStatus] = frozenset()
    created_from: datetime | None = None
    created_to: datetime | None = None
    instance_id_prefix: str | None = None
    page_size: int = 100
    continuation_token: str | None = None

    def __post_init__(self) -> None:
        for name in ("workflow", "instance_id_prefix", "continuation_token"):
            text = getattr(self, name)
            if text is not None and not isinstance(text, str):
                raise InvalidRequest(f"{name} must be text, not {type(text).__name__!r}")
        for name in ("created_from", "created_to"):
            time = getattr(self, name)
            if time is not None and not isinstance(time, datetime):
                raise InvalidRequest(f"{name} must be a datetime, not {type(time).__name__!r}")
            if time is not None and time.tzinfo is None:
                object.__setattr__(self, name, time.replace(tzinfo=UTC))
        page_size: object = self.page_size
        if not isinstance(page_size, int) or not 1 <= page_size <= 1000:
            raise InvalidRequest(f"page_size is {page_size!r}: use 1 to 1000")
        object.__setattr__(self, "status", _statuses(self.status))


def _statuses(given: object) -> frozenset[WorkflowStatus]:
    """Return what is asked for as a set; one status alone, and their names, will do."""
    several: Any = [given] if isinstance(given, str) else given
    try:
        return frozenset(WorkflowStatus(status) for status in several)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(
            f"status must be a set of {', '.join(WorkflowStatus)}: {error}"
        ) from error


@dataclass(frozen=True, slots=True)
class InstancePage:
    """One page of a listing.

    Attributes:
        instances: The instances, newest first, without input and output.
        continuation_token: The token with which `InstanceQuery` asks for the next page; None, the
            default, where nothing follows.
    """

    instances: tuple[WorkflowState, ...]
    continuation_token: str | None = None
