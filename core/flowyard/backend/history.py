"""History events: the only truth from which an instance is rebuilt.

What a turn decides (an action) and the event that records it have the same fields, so they are one
type. Events are frozen msgspec structs, which are values and codec in one; fields may be appended
with a default, never removed or reordered.

Times are integers: microseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from flowyard.failure import FailureDetails
from flowyard.models import WorkflowStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

NEVER = 253_402_300_799_999_999
"""Dapr's sentinel 9999-12-31T23:59:59.999999999Z: recorded, never fires (docs/protocol.md §9)."""


def to_datetime(microseconds: int) -> datetime:
    """Return the aware UTC time."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_microseconds(time: datetime) -> int:
    """Return microseconds since the epoch; a naive time is taken as UTC."""
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


class _Event(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The settings that all events share."""


class Parent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a child reports to: the instance, its execution and the ID of the child's action."""

    instance_id: str
    execution_id: str
    workflow: str
    task_id: int


class TurnStarted(_Event, frozen=True):
    """Opens every turn and sets the deterministic clock. `version` is set by the first turn."""

    at: int
    version: str | None = None
    patches: tuple[str, ...] = ()


class HistoryChunk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What has happened in one execution, as another is told of it; `events` are encoded."""

    instance_id: str
    workflow: str
    events: str


class Propagated(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an execution is told of those that have called it, the immediate one last."""

    scope: int
    chunks: tuple[HistoryChunk, ...]


OWN_HISTORY = 1
"""The scope of a call that is told what has happened in its caller's execution."""
LINEAGE = 2
"""The scope of a call that is also told what its caller was told."""


class ExecutionStarted(_Event, frozen=True):
    """`seed` is the execution whose `new_uuid`s a copy of it repeats; without it, its own."""

    workflow: str
    input: str | None
    execution_id: str
    parent: Parent | None = None
    start_at: int | None = None
    seed: str | None = None
    propagated: Propagated | None = None


class TaskScheduled(_Event, frozen=True):
    """An activity. `first_id` is the ID of its first attempt, the same for all retries.

    `call_id` is what a worker's SDK calls all attempts of the call, where it has a name for them.
    `attempt` counts them, from 1. One that is `refused` is not run, and fails of that.
    """

    id: int
    name: str
    input: str | None
    first_id: int
    call_id: str | None = None
    attempt: int = 1
    refused: FailureDetails | None = None
    propagation: int = 0

    def task_execution_id(self, execution_id: str) -> str:
        """Return what is the same for all attempts of the call."""
        return self.call_id or f"{execution_id}:{self.first_id}"


class TaskCompleted(_Event, frozen=True):
    """The activity that action `task_id` called has returned `output`."""

    task_id: int
    output: str | None


class TaskFailed(_Event, frozen=True):
    """The activity that action `task_id` called has raised `failure`."""

    task_id: int
    failure: FailureDetails


class TimerCreated(_Event, frozen=True):
    """`origin` says what for: a timer of the code, an event's timeout (`name`), or a retry."""

    id: int
    fire_at: int
    origin: Literal["timer", "event", "activity-retry", "child-retry"] = "timer"
    name: str | None = None
    first_id: int | None = None


class TimerFired(_Event, frozen=True):
    """The timer of action `timer_id`, which was set for `fire_at`, has fired."""

    timer_id: int
    fire_at: int


class ChildCreated(_Event, frozen=True):
    """A child workflow. One that is `refused` is not started, and fails of that.

    A `detached` one only begins here: it has no parent, and nothing of it comes back. `first_id`
    is set where this is a retry, to the ID of the first attempt.
    """

    id: int
    name: str
    instance_id: str
    input: str | None
    detached: bool = False
    start_at: int | None = None
    refused: FailureDetails | None = None
    propagation: int = 0
    first_id: int | None = None


class ChildCompleted(_Event, frozen=True):
    """The child workflow of action `task_id` has returned `output`."""

    task_id: int
    output: str | None


class ChildFailed(_Event, frozen=True):
    """The child workflow of action `task_id` has failed or was terminated."""

    task_id: int
    failure: FailureDetails


class EventRaised(_Event, frozen=True):
    """An event has come from outside, or from another instance."""

    name: str
    input: str | None


class EventSent(_Event, frozen=True):
    """An event for another instance, which action `id` sent."""

    id: int
    instance_id: str
    name: str
    input: str | None


class ExecutionSuspended(_Event, frozen=True):
    """The instance was paused, for `reason` if one was given."""

    reason: str | None = None


class ExecutionResumed(_Event, frozen=True):
    """The instance was resumed, for `reason` if one was given."""

    reason: str | None = None


class ExecutionTerminated(_Event, frozen=True):
    """The instance was terminated; a `recursive` termination ends its children too."""

    output: str | None = None
    recursive: bool = True


class ExecutionCompleted(_Event, frozen=True):
    """The end of an execution, with the status it closed in."""

    status: WorkflowStatus
    output: str | None = None
    failure: FailureDetails | None = None


class ContinuedAsNew(_Event, frozen=True):
    """The action of continue-as-new. The new execution's history begins where this one ends."""

    input: str | None
    carryover: tuple[EventRaised, ...] = ()


Action: TypeAlias = (
    TaskScheduled | TimerCreated | ChildCreated | EventSent | ExecutionCompleted | ContinuedAsNew
)
"""What a turn may decide; each action is recorded in history as it is."""

HistoryEvent: TypeAlias = (
    TurnStarted
    | ExecutionStarted
    | TaskScheduled
    | TaskCompleted
    | TaskFailed
    | TimerCreated
    | TimerFired
    | ChildCreated
    | ChildCompleted
    | ChildFailed
    | EventRaised
    | EventSent
    | ExecutionSuspended
    | ExecutionResumed
    | ExecutionTerminated
    | ExecutionCompleted
    | ContinuedAsNew
)
"""What a history consists of."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[list[HistoryEvent]] = msgspec.json.Decoder(list[HistoryEvent])


def encode_events(events: Iterable[HistoryEvent]) -> bytes:
    """Return the stored form: a JSON array with one tagged array per event."""
    return _encoder.encode(events)


def decode_events(data: bytes) -> list[HistoryEvent]:
    """Read what `encode_events` wrote."""
    return _decoder.decode(data)
