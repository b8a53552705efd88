"""History events: the only truth from which an instance is rebuilt.

What a turn decides (an action) and the event that records it have the same fields, so they are one
type. Events are frozen msgspec structs, which are values and codec in one; fields may be appended
with a default, never removed or reordered.

Times are integers: microseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from flowyard.backend.timestamps import NEVER
from flowyard.failure import FailureDetails
from flowyard.models import WorkflowStatus


class _Event(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The settings that all events share."""


class Parent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a child reports to.

    Attributes:
        instance_id: The ID of the parent.
        execution_id: The ID of the execution that has called the child.
        workflow: The name of the parent's workflow.
        task_id: The ID of the action that has called it, which the child's result names.
    """

    instance_id: str
    execution_id: str
    workflow: str
    task_id: int


class TurnStarted(_Event, frozen=True):
    """Opens every turn and sets the deterministic clock.

    Attributes:
        at: The time of the turn, in microseconds since the Unix epoch.
        version: The workflow's version, which the first turn of an execution records; else None.
        patches: The patches that code has come to in this turn for the first time.
    """

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
    """The beginning of an execution.

    Attributes:
        workflow: The name of the workflow.
        input: JSON text; None for no input.
        execution_id: The ID of the execution; after continue-as-new the instance has another.
        parent: The parent of a child; None, the default, for an instance of its own.
        start_at: When it is to begin, in microseconds since the Unix epoch; None means at once.
        seed: The execution whose `new_uuid`s it repeats, being a copy of it; its own by default.
        propagated: The histories of its callers, if it is told them; None by default.
    """

    workflow: str
    input: str | None
    execution_id: str
    parent: Parent | None = None
    start_at: int | None = None
    seed: str | None = None
    propagated: Propagated | None = None


class TaskScheduled(_Event, frozen=True):
    """The call of an activity: one attempt.

    Attributes:
        id: The number of the action in its execution, from 1.
        name: The name of the activity.
        input: JSON text; None for no input.
        first_id: The ID of the first attempt, the same for all retries.
        call_id: The name that a worker's SDK has for all attempts of the call; None without one.
        attempt: The number of the attempt, from 1.
        refused: The reason why it fails without being run; None, the default, for one that runs.
        propagation: How much history the activity is told: none (0, the default), that of this
            execution (1), or also what this execution was told (2).
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
        """Return what is the same for all attempts of the call, the idempotency key.

        Args:
            execution_id: The execution that has called the activity.
        """
        return self.call_id or f"{execution_id}:{self.first_id}"


class TaskCompleted(_Event, frozen=True):
    """The activity that an action called has returned.

    Attributes:
        task_id: The ID of the action.
        output: JSON text; None for no result.
    """

    task_id: int
    output: str | None


class TaskFailed(_Event, frozen=True):
    """The activity that an action called has failed.

    Attributes:
        task_id: The ID of the action.
        failure: The error that it has raised.
    """

    task_id: int
    failure: FailureDetails


class TimerCreated(_Event, frozen=True):
    """A timer was set.

    Attributes:
        id: The number of the action in its execution, from 1.
        fire_at: When it fires, in microseconds since the Unix epoch; one at `NEVER` never does.
        origin: Its purpose: a timer of the code (the default), the timeout of an event, or the
            pause before a retry.
        name: The name of the event, activity or child workflow; None, the default, for the code's.
        first_id: For a retry, the ID of the first attempt; else None.
    """

    id: int
    fire_at: int
    origin: Literal["timer", "event", "activity-retry", "child-retry"] = "timer"
    name: str | None = None
    first_id: int | None = None

    @property
    def fires(self) -> bool:
        """Whether it ever fires: that of a wait without a timeout does not."""
        return self.fire_at < NEVER


class TimerFired(_Event, frozen=True):
    """A timer has fired.

    Attributes:
        timer_id: The ID of the action that has set it.
        fire_at: The time for which it was set, in microseconds since the Unix epoch.
    """

    timer_id: int
    fire_at: int


class ChildCreated(_Event, frozen=True):
    """The call of a child workflow: one attempt.

    Attributes:
        id: The number of the action in its execution, from 1.
        name: The name of the workflow.
        instance_id: The ID of the child.
        input: JSON text; None for no input.
        detached: Whether it has no parent, and nothing of it comes back; False by default.
        start_at: When it is to begin, in microseconds since the Unix epoch; None means at once.
        refused: The reason why it fails without being started; None, the default, for others.
        propagation: How much history the child is told, as in `TaskScheduled`; 0 by default.
        first_id: For a retry, the ID of the first attempt; else None.
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

    @property
    def is_awaited(self) -> bool:
        """Whether it is started as a child, whose end is then its answer."""
        return not self.detached and self.refused is None


class ChildCompleted(_Event, frozen=True):
    """A child workflow has returned.

    Attributes:
        task_id: The ID of the action that has called it.
        output: JSON text; None for no result.
    """

    task_id: int
    output: str | None


class ChildFailed(_Event, frozen=True):
    """A child workflow has failed, was terminated, or could not be started.

    Attributes:
        task_id: The ID of the action that has called it.
        failure: The error with which it has ended.
    """

    task_id: int
    failure: FailureDetails


class EventRaised(_Event, frozen=True):
    """An event has come from outside, or from another instance.

    Attributes:
        name: The name of the event, as it was raised; names match without case.
        input: Its data as JSON text; None for none.
    """

    name: str
    input: str | None


class EventSent(_Event, frozen=True):
    """An event was sent to another instance.

    Attributes:
        id: The number of the action in its execution, from 1.
        instance_id: The ID of the receiver.
        name: The name of the event.
        input: Its data as JSON text; None for none.
    """

    id: int
    instance_id: str
    name: str
    input: str | None

    @property
    def raised(self) -> EventRaised:
        """The event as the other instance gets it."""
        return EventRaised(self.name, self.input)


class ExecutionSuspended(_Event, frozen=True):
    """The instance was paused.

    Attributes:
        reason: The reason that the caller has given; None by default.
    """

    reason: str | None = None


class ExecutionResumed(_Event, frozen=True):
    """The instance was resumed.

    Attributes:
        reason: The reason that the caller has given; None by default.
    """

    reason: str | None = None


class ExecutionTerminated(_Event, frozen=True):
    """The instance was terminated.

    Attributes:
        output: The output that it gets, as JSON text; None, the default, for none.
        recursive: Whether its children end with it; True by default.
    """

    output: str | None = None
    recursive: bool = True


class ExecutionCompleted(_Event, frozen=True):
    """The end of an instance.

    Attributes:
        status: The status in which it has closed.
        output: JSON text; None, the default, for no result.
        failure: The error with which it has failed; None, the default, if it has not.
    """

    status: WorkflowStatus
    output: str | None = None
    failure: FailureDetails | None = None


class ContinuedAsNew(_Event, frozen=True):
    """The action of continue-as-new. The new execution's history begins where this one ends.

    Attributes:
        input: The input of the new execution, as JSON text; None for no input.
        carryover: Events that go over to it, in their order; none by default.
    """

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
    """Return the stored form: a JSON array with one tagged array per event.

    Args:
        events: The events, in their order.
    """
    return _encoder.encode(events)


def decode_events(data: bytes) -> list[HistoryEvent]:
    """Return the events that `encode_events` has written, also that of an earlier version.

    Args:
        data: The stored form.

    Raises:
        msgspec.DecodeError: If it is not one, or has events that this version does not know.
    """
    return _decoder.decode(data)
