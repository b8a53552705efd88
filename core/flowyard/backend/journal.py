"""What a host knows of one execution, derived from its history alone.

Every host keeps one `Journal` per live instance and runs turns like this::

    admitted = [event for event in inbox if journal.admit(event)]
    turn = journal.turn(clock.now(), admitted)
    result = executor.run_turn(turn) if turn.runs_code else TurnResult()
    added = journal.commit(turn, result)      # make `added` durable, then act on it

    deliver(*journal.refused.values())        # answers that need nobody

If the result is stalled, or `added` could not be made durable, the journal no longer tells the
truth: drop it, `executor.forget` the instance, and read the history again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import msgspec

from flowyard.backend.executor import Turn, TurnResult
from flowyard.backend.history import (
    Action,
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
    Parent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
)
from flowyard.backend.lineage import child_started, propagated
from flowyard.errors import InstanceAlreadyExists
from flowyard.failure import FailureDetails
from flowyard.models import WorkflowStatus

logger = logging.getLogger(__name__)

_TASK_RESULTS = (TaskCompleted, TaskFailed)
_CHILD_RESULTS = (ChildCompleted, ChildFailed)
RESULTS = (*_TASK_RESULTS, *_CHILD_RESULTS, TimerFired)
"""What answers an action of one execution, and is for no other."""


class Journal:
    """The committed history of one execution, and what of it is still open.

    Args:
        instance_id: The ID of the instance.
        history: The events that are committed already; none by default.

    Attributes:
        history: All events, in their order.
        started: The event with which the execution has begun; None before.
        suspended: Whether the instance is paused.
        terminated: What ends the instance from outside, also before a turn has recorded that.
        completion: The end of the instance; None before.
        continuation: Set by the turn that continued as new: go on with `successor()`.
        tasks: The activities that run, by the IDs of their actions.
        timers: The timers that are set, by the IDs of their actions.
        children: The children that run, by the IDs of their actions.
        refused: The answers for children that are not started, which no turn has taken up yet.
    """

    __slots__ = (
        "_suspended_before",
        "children",
        "completion",
        "continuation",
        "history",
        "instance_id",
        "refused",
        "started",
        "suspended",
        "tasks",
        "terminated",
        "timers",
    )

    def __init__(self, instance_id: str, history: Iterable[HistoryEvent] = ()) -> None:
        self.instance_id = instance_id
        self.history: list[HistoryEvent] = []
        self.started: ExecutionStarted | None = None
        self.suspended = False
        self.completion: ExecutionCompleted | None = None
        self.continuation: ContinuedAsNew | None = None
        self.tasks: dict[int, TaskScheduled] = {}
        self.timers: dict[int, TimerCreated] = {}
        self.children: dict[int, ChildCreated] = {}
        self.refused: dict[int, ChildFailed] = {}
        self.terminated: ExecutionTerminated | None = None
        self._suspended_before = False
        for event in history:
            self.history.append(event)
            if not self._open(event):
                self.admit(event)
        self._suspended_before = self.suspended

    @property
    def status(self) -> WorkflowStatus:
        """The status that the history amounts to."""
        return self.status_if(suspended=self.suspended)

    def status_if(self, *, suspended: bool) -> WorkflowStatus:
        """Return the status as it is once a turn has paused or resumed the instance.

        Args:
            suspended: Whether the instance is paused then; what waits may say so, see
                `suspended_after`.
        """
        if self.completion is not None:
            return self.completion.status
        if suspended:
            return WorkflowStatus.SUSPENDED
        return WorkflowStatus.RUNNING if self.started is not None else WorkflowStatus.PENDING

    @property
    def execution_id(self) -> str:
        """The ID of the execution; empty as long as it has not begun."""
        return self.started.execution_id if self.started is not None else ""

    @property
    def is_closed(self) -> bool:
        """True once the instance has completed, failed or was terminated."""
        return self.completion is not None

    def is_open(self, action_id: int) -> bool:
        """Return whether an action still waits for its answer.

        Args:
            action_id: The number of the action in its execution.
        """
        return action_id in self.tasks or action_id in self.timers or action_id in self.children

    def next_timer(self) -> int | None:
        """Return when the earliest open timer fires, in microseconds since the epoch, or None."""
        if not self.timers:
            return None
        return min(timer.fire_at for timer in self.timers.values())

    def due_timers(self, now: int) -> list[TimerFired]:
        """Return the events of the open timers that are due, earliest first.

        Args:
            now: The time, in microseconds since the Unix epoch.
        """
        due = [timer for timer in self.timers.values() if timer.fire_at <= now]
        due.sort(key=lambda timer: timer.fire_at)
        return [TimerFired(timer.id, timer.fire_at) for timer in due]

    def admit(self, event: HistoryEvent) -> bool:
        """Take an event from outside into account.

        Args:
            event: The event that has come.

        Returns:
            False if the history already answers it, and it must not be recorded: a duplicate of a
            result, a redundant pause or resume, a second start, and anything after the end.
        """
        if self.completion is not None or self.terminated is not None:
            return False
        kind = type(event)
        if kind in _TASK_RESULTS:
            return self.tasks.pop(event.task_id, None) is not None  # type: ignore[union-attr]
        if kind is TimerFired:
            return self.timers.pop(event.timer_id, None) is not None  # type: ignore[union-attr]
        if kind in _CHILD_RESULTS:
            task_id = event.task_id  # type: ignore[union-attr]
            return (
                self.children.pop(task_id, None) is not None
                or self.refused.pop(task_id, None) is not None
            )
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
            self.terminated = event
            return True
        if isinstance(event, ExecutionCompleted):
            self.completion = event
        return True

    def turn(self, now: int, admitted: Sequence[HistoryEvent]) -> Turn:
        """Open a turn over events that were admitted. A paused instance records, runs no code.

        Args:
            now: The time of the turn, in microseconds since the Unix epoch.
            admitted: The events, in their order.
        """
        runs_code = (
            self.started is not None
            and self.terminated is None
            and not (
                self._suspended_before
                and self.suspended
                and not any(type(event) is ExecutionResumed for event in admitted)
            )
        )
        return Turn(
            self.instance_id,
            self.execution_id,
            self.history,
            [TurnStarted(now), *admitted],
            runs_code,
        )

    def commit(self, turn: Turn, result: TurnResult) -> list[HistoryEvent]:
        """Add a turn and its actions to the history.

        Args:
            turn: The turn that `turn` has opened.
            result: What the turn has decided. Ends after the first one are taken out of it.

        Returns:
            The events that were added, to be made durable.
        """
        actions = result.actions
        if len(actions) > 1 or (actions and type(actions[0]) is ChildCreated):
            self._check(result)
            actions = result.actions
        added = [*turn.new, *actions]
        if result.version is not None or result.patches:
            added[0] = msgspec.structs.replace(
                added[0], version=result.version, patches=result.patches
            )
        for action in actions:
            self._open(action)
        if self.terminated is not None and self.completion is None:
            self.completion = ExecutionCompleted(WorkflowStatus.TERMINATED, self.terminated.output)
            added.append(self.completion)
        self.history.extend(added)
        self._suspended_before = self.suspended
        if self.completion is not None and not turn.replaying:
            self._tell_failure(self.completion)
        return added

    def _tell_failure(self, completion: ExecutionCompleted) -> None:
        failure = completion.failure
        if failure is not None:
            logger.warning(
                "workflow '%s' of instance '%s' failed: %s: %s\n%s",
                self.started.workflow if self.started is not None else "",
                self.instance_id,
                failure.error_type,
                failure.message,
                failure.trace,
            )

    def successor(self, execution_id: str) -> list[HistoryEvent]:
        """Return the events that begin the execution after continue-as-new.

        Args:
            execution_id: The ID of the new execution.
        """
        assert self.started is not None  # noqa: S101
        assert self.continuation is not None  # noqa: S101
        received = self.started.propagated
        if received is not None:
            received = propagated(self.instance_id, self.history, received.scope)
        started = msgspec.structs.replace(
            self.started,
            input=self.continuation.input,
            execution_id=execution_id,
            start_at=None,
            seed=None,
            propagated=received,
        )
        events: list[HistoryEvent] = [started, *self.continuation.carryover]
        if self.suspended:
            events.insert(0, ExecutionSuspended())
        return events

    def child_started(self, child: ChildCreated, execution_id: str) -> ExecutionStarted:
        """Return what begins a child of this execution, to which this journal has it added.

        Args:
            child: The action, which is not refused.
            execution_id: The ID of the child's execution.
        """
        assert self.started is not None  # noqa: S101
        parent = self.started
        link = Parent(self.instance_id, parent.execution_id, parent.workflow, child.id)
        told = None
        if child.propagation:
            told = propagated(self.instance_id, self.history, child.propagation, child)
        return child_started(link, child, execution_id, told)

    def _check(self, result: TurnResult) -> None:
        """Leave out ends after the first, and refuse a child with the ID of its parent."""
        actions: list[Action] = []
        is_ended = is_changed = False
        for action in result.actions:
            kind = type(action)
            if kind is ExecutionCompleted or kind is ContinuedAsNew:
                if is_ended:
                    is_changed = True
                    continue
                is_ended = True
            elif isinstance(action, ChildCreated) and action.instance_id == self.instance_id:
                taken = FailureDetails.of(InstanceAlreadyExists(self.instance_id, self.status))
                action = msgspec.structs.replace(action, refused=action.refused or taken)
                is_changed = True
            actions.append(action)
        if is_changed:
            result.actions = actions

    def _open(self, event: HistoryEvent) -> bool:
        """Note an action as open; False if the event is not an action."""
        kind = type(event)
        if kind is TaskScheduled:
            self.tasks[event.id] = event  # type: ignore[union-attr, assignment]
        elif isinstance(event, TimerCreated):
            # What never fires is answered by nothing, and another action may have its number.
            if event.fires:
                self.timers[event.id] = event
        elif isinstance(event, ChildCreated):
            if event.is_awaited:
                self.children[event.id] = event
            elif event.refused is not None and not event.detached:
                self.refused[event.id] = ChildFailed(event.id, event.refused)
        elif kind is ExecutionCompleted:
            self.completion = event  # type: ignore[assignment]
        elif kind is ContinuedAsNew:
            self.continuation = event  # type: ignore[assignment]
        else:
            return False
        return True


def suspended_after(events: Iterable[HistoryEvent], *, suspended: bool) -> bool:
    """Return whether an instance is paused once it has taken some events.

    Args:
        events: The events that wait, in their order; most say nothing of it.
        suspended: Whether it is paused now.
    """
    for event in events:
        if isinstance(event, (ExecutionSuspended, ExecutionResumed)):
            suspended = isinstance(event, ExecutionSuspended)
    return suspended
