"""What a host knows of one execution, derived from its history alone.

Every host keeps one `Journal` per live instance and runs turns like this::

    admitted = [event for event in inbox if journal.admit(event)]
    turn = journal.turn(clock.now(), admitted)
    result = executor.run_turn(turn) if turn.runs_code else TurnResult()
    added = journal.commit(turn, result)      # make `added` durable, then act on it

If the result is stalled, or `added` could not be made durable, the journal no longer tells the
truth: drop it, `executor.forget` the instance, and read the history again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from flowyard.executor import Turn, TurnResult
from flowyard.history import (
    NEVER,
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ContinuedAsNew,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
)
from flowyard.models import FailureDetails, WorkflowStatus

_TASK_RESULTS = (TaskCompleted, TaskFailed)
_CHILD_RESULTS = (ChildCompleted, ChildFailed)


class Journal:
    """The committed history of one execution, and what of it is still open."""

    __slots__ = (
        "_suspended_before",
        "_terminated",
        "children",
        "completion",
        "continuation",
        "history",
        "instance_id",
        "started",
        "suspended",
        "tasks",
        "timers",
    )

    def __init__(self, instance_id: str, history: Iterable[HistoryEvent] = ()) -> None:
        self.instance_id = instance_id
        self.history: list[HistoryEvent] = []
        self.started: ExecutionStarted | None = None
        self.suspended = False
        self.completion: ExecutionCompleted | None = None
        self.continuation: ContinuedAsNew | None = None
        """Set by the turn that continued as new: go on with `successor()`."""
        self.tasks: dict[int, TaskScheduled] = {}
        self.timers: dict[int, TimerCreated] = {}
        self.children: dict[int, ChildCreated] = {}
        self._terminated: ExecutionTerminated | None = None
        self._suspended_before = False
        for event in history:
            self.history.append(event)
            if not self._open(event):
                self.admit(event)
        self._suspended_before = self.suspended

    @property
    def status(self) -> WorkflowStatus:
        """The status that the history amounts to."""
        if self.completion is not None:
            return self.completion.status
        if self.suspended:
            return WorkflowStatus.SUSPENDED
        return WorkflowStatus.RUNNING if self.started is not None else WorkflowStatus.PENDING

    @property
    def is_closed(self) -> bool:
        """True once the instance has completed, failed or was terminated."""
        return self.completion is not None

    def next_timer(self) -> int | None:
        """Return when the earliest open timer fires, in microseconds since the epoch."""
        if not self.timers:
            return None
        earliest = min(timer.fire_at for timer in self.timers.values())
        return earliest if earliest < NEVER else None

    def due_timers(self, now: int) -> list[TimerFired]:
        """Return the events of the open timers that are due, earliest first."""
        due = [timer for timer in self.timers.values() if timer.fire_at <= now]
        due.sort(key=lambda timer: timer.fire_at)
        return [TimerFired(timer.id, timer.fire_at) for timer in due]

    def admit(self, event: HistoryEvent) -> bool:
        """Take an event from outside into account; False if the history already answers it.

        Duplicates of a result, a redundant pause or resume, a second start, and anything that
        comes after the end are not admitted and must not be recorded.
        """
        if self.completion is not None or self._terminated is not None:
            return False
        kind = type(event)
        if kind in _TASK_RESULTS:
            return self.tasks.pop(event.task_id, None) is not None  # type: ignore[union-attr]
        if kind is TimerFired:
            return self.timers.pop(event.timer_id, None) is not None  # type: ignore[union-attr]
        if kind in _CHILD_RESULTS:
            return self.children.pop(event.task_id, None) is not None  # type: ignore[union-attr]
        if kind is ExecutionSuspended or kind is ExecutionResumed:
            suspend = kind is ExecutionSuspended
            changes = self.suspended is not suspend
            self.suspended = suspend
            return changes
        if isinstance(event, ExecutionStarted):
            if self.started is not None:
                return False
            self.started = event
            return True
        if isinstance(event, ExecutionTerminated):
            self._terminated = event
            return True
        if isinstance(event, ExecutionCompleted):
            self.completion = event
        return True

    def turn(self, now: int, admitted: Sequence[HistoryEvent]) -> Turn:
        """Open a turn over events that were admitted. A paused instance records, runs no code."""
        runs_code = (
            self.started is not None
            and self._terminated is None
            and not (
                self._suspended_before
                and self.suspended
                and not any(type(event) is ExecutionResumed for event in admitted)
            )
        )
        return Turn(
            self.instance_id,
            self.started.execution_id if self.started is not None else "",
            self.history,
            [TurnStarted(now), *admitted],
            runs_code,
        )

    def commit(self, turn: Turn, result: TurnResult) -> list[HistoryEvent]:
        """Add a turn and its actions to the history; return the events that were added."""
        added = [*turn.new, *result.actions]
        if result.version is not None or result.patches:
            added[0] = msgspec.structs.replace(
                added[0], version=result.version, patches=result.patches
            )
        for action in result.actions:
            self._open(action)
        if self._terminated is not None and self.completion is None:
            self.completion = ExecutionCompleted(WorkflowStatus.TERMINATED, self._terminated.output)
            added.append(self.completion)
        self.history.extend(added)
        self._suspended_before = self.suspended
        return added

    def successor(self, execution_id: str) -> list[HistoryEvent]:
        """Return the events that begin the execution after continue-as-new."""
        assert self.started is not None  # noqa: S101
        assert self.continuation is not None  # noqa: S101
        started = msgspec.structs.replace(
            self.started,
            input=self.continuation.input,
            execution_id=execution_id,
            start_at=None,
            seed=None,
        )
        events: list[HistoryEvent] = [started, *self.continuation.carryover]
        if self.suspended:
            events.insert(0, ExecutionSuspended())
        return events

    def _open(self, event: HistoryEvent) -> bool:
        """Note an action as open; False if the event is not an action."""
        kind = type(event)
        if kind is TaskScheduled:
            self.tasks[event.id] = event  # type: ignore[union-attr, assignment]
        elif kind is TimerCreated:
            self.timers[event.id] = event  # type: ignore[union-attr, assignment]
        elif kind is ChildCreated:
            self.children[event.id] = event  # type: ignore[union-attr, assignment]
        elif kind is ExecutionCompleted:
            self.completion = event  # type: ignore[assignment]
        elif kind is ContinuedAsNew:
            self.continuation = event  # type: ignore[assignment]
        else:
            return False
        return True


def result_of(child: ChildCreated, completion: ExecutionCompleted) -> ChildCompleted | ChildFailed:
    """Return the event that tells a parent how its child ended."""
    if completion.status is WorkflowStatus.COMPLETED:
        return ChildCompleted(child.id, completion.output)
    failure = completion.failure or FailureDetails(
        "WorkflowTerminated", f"child workflow '{child.instance_id}' was terminated"
    )
    return ChildFailed(child.id, failure)
