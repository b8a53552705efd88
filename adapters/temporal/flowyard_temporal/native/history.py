"""Temporal's events as ours; what Flowyard has no word for is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import StartChildWorkflowExecutionFailedCause
from temporalio.api.history.v1 import HistoryEvent as Recorded

from flowyard.backend import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ContinuedAsNew,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    FailureDetails,
    HistoryEvent,
    Parent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    WorkflowStatus,
)
from flowyard_temporal.native.failures import CANCELED, TIMED_OUT, details_of
from flowyard_temporal.payloads import text_of_all

_NANOSECONDS = 1000


def translated(recorded: Iterable[Recorded]) -> list[HistoryEvent]:
    """Return the events of a run.

    A workflow task is a turn: it begins with what happened since the one before, and ends with
    what its code decided. The ID of an action is that of the event which records it.
    """
    translation = Translation()
    for event in recorded:
        translation.add(event)
    return translation.finished()


class Translation:
    """Puts one event after the other into our words."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []
        self._since: list[HistoryEvent] = []
        self._since_when = 0
        self._turn_at = 0
        self._timers: dict[str, TimerCreated] = {}

    def add(self, event: Recorded) -> None:
        """Take the next event."""
        kind = event.WhichOneof("attributes") or ""
        if kind == "workflow_task_started_event_attributes":
            self._turn_at = _microseconds(event.event_time)
        elif kind == "workflow_task_completed_event_attributes":
            self._turn(self._turn_at)
        elif (outer := _HAPPENS.get(kind)) is not None:
            self.happened(event, outer(event))
        elif (action := _DECIDED.get(kind)) is not None:
            self.decided(event, action(event))
        elif kind == "timer_started_event_attributes":
            self.decided(event, _timer(event))
        elif kind == "timer_fired_event_attributes":
            timer = self._timers[event.timer_fired_event_attributes.timer_id]
            self.happened(event, TimerFired(timer.id, timer.fire_at))
        elif (end := _ENDED.get(kind)) is not None:
            self._since_when = _microseconds(event.event_time)
            self._since += end(event)

    def happened(self, event: Recorded, outer: HistoryEvent) -> None:
        """Note what the next workflow task sees."""
        self._since_when = _microseconds(event.event_time)
        self._since.append(outer)

    def decided(self, event: Recorded, action: HistoryEvent) -> None:
        """Note what a workflow task has decided."""
        if isinstance(action, TimerCreated):
            self._timers[event.timer_started_event_attributes.timer_id] = action
        self.events.append(action)

    def finished(self) -> list[HistoryEvent]:
        """Return everything, also what no workflow task has taken up."""
        if self._since:
            self._turn(self._since_when)
        return self.events

    def _turn(self, at: int) -> None:
        self.events += [TurnStarted(at), *self._since]
        self._since = []


def _microseconds(stamp: Timestamp) -> int:
    return stamp.ToNanoseconds() // _NANOSECONDS


def _started(event: Recorded) -> HistoryEvent:
    started = event.workflow_execution_started_event_attributes
    parent = None
    if started.HasField("parent_workflow_execution"):
        execution = started.parent_workflow_execution
        parent = Parent(
            execution.workflow_id, execution.run_id, "", started.parent_initiated_event_id
        )
    backoff = started.first_workflow_task_backoff.ToNanoseconds() // _NANOSECONDS
    return ExecutionStarted(
        workflow=started.workflow_type.name,
        input=text_of_all(started.input.payloads),
        execution_id=started.original_execution_run_id,
        parent=parent,
        start_at=_microseconds(event.event_time) + backoff if backoff else None,
    )


def _scheduled(event: Recorded) -> HistoryEvent:
    scheduled = event.activity_task_scheduled_event_attributes
    name, input_ = scheduled.activity_type.name, text_of_all(scheduled.input.payloads)
    return TaskScheduled(event.event_id, name, input_, event.event_id, scheduled.activity_id)


def _timer(event: Recorded) -> TimerCreated:
    length = event.timer_started_event_attributes.start_to_fire_timeout.ToNanoseconds()
    return TimerCreated(event.event_id, _microseconds(event.event_time) + length // _NANOSECONDS)


def _task_completed(event: Recorded) -> HistoryEvent:
    completed = event.activity_task_completed_event_attributes
    return TaskCompleted(completed.scheduled_event_id, text_of_all(completed.result.payloads))


def _child_created(event: Recorded) -> HistoryEvent:
    created = event.start_child_workflow_execution_initiated_event_attributes
    input_ = text_of_all(created.input.payloads)
    return ChildCreated(event.event_id, created.workflow_type.name, created.workflow_id, input_)


def _child_completed(event: Recorded) -> HistoryEvent:
    completed = event.child_workflow_execution_completed_event_attributes
    return ChildCompleted(completed.initiated_event_id, text_of_all(completed.result.payloads))


def _child_not_started(event: Recorded) -> HistoryEvent:
    failed = event.start_child_workflow_execution_failed_event_attributes
    cause = StartChildWorkflowExecutionFailedCause.Name(failed.cause)
    return ChildFailed(
        failed.initiated_event_id,
        FailureDetails("ChildWorkflowError", f"'{failed.workflow_id}' was not started: {cause}"),
    )


def _sent(event: Recorded) -> HistoryEvent:
    sent = event.signal_external_workflow_execution_initiated_event_attributes
    instance_id, input_ = sent.workflow_execution.workflow_id, text_of_all(sent.input.payloads)
    return EventSent(event.event_id, instance_id, sent.signal_name, input_)


def _raised(event: Recorded) -> HistoryEvent:
    raised = event.workflow_execution_signaled_event_attributes
    return EventRaised(raised.signal_name, text_of_all(raised.input.payloads))


def _completed(event: Recorded) -> HistoryEvent:
    result = event.workflow_execution_completed_event_attributes.result
    return ExecutionCompleted(WorkflowStatus.COMPLETED, text_of_all(result.payloads))


def _failed(event: Recorded) -> HistoryEvent:
    failure = event.workflow_execution_failed_event_attributes.failure
    return ExecutionCompleted(WorkflowStatus.FAILED, failure=details_of(failure))


def _canceled(event: Recorded) -> HistoryEvent:
    details = event.workflow_execution_canceled_event_attributes.details
    return ExecutionCompleted(WorkflowStatus.CANCELED, text_of_all(details.payloads))


def _continued(event: Recorded) -> HistoryEvent:
    input_ = event.workflow_execution_continued_as_new_event_attributes.input
    return ContinuedAsNew(text_of_all(input_.payloads))


def _terminated(event: Recorded) -> list[HistoryEvent]:
    details = event.workflow_execution_terminated_event_attributes.details
    output = text_of_all(details.payloads)
    return [ExecutionTerminated(output), ExecutionCompleted(WorkflowStatus.TERMINATED, output)]


def _child_failure(event: Recorded) -> HistoryEvent:
    failed = event.child_workflow_execution_failed_event_attributes
    return ChildFailed(failed.initiated_event_id, details_of(failed.failure))


# What happens to a workflow: the next workflow task sees it.
_HAPPENS: dict[str, Callable[[Recorded], HistoryEvent]] = {
    "workflow_execution_started_event_attributes": _started,
    "workflow_execution_signaled_event_attributes": _raised,
    "workflow_execution_paused_event_attributes": lambda event: ExecutionSuspended(
        event.workflow_execution_paused_event_attributes.reason or None
    ),
    "workflow_execution_unpaused_event_attributes": lambda event: ExecutionResumed(
        event.workflow_execution_unpaused_event_attributes.reason or None
    ),
    "activity_task_completed_event_attributes": _task_completed,
    "activity_task_failed_event_attributes": lambda event: TaskFailed(
        event.activity_task_failed_event_attributes.scheduled_event_id,
        details_of(event.activity_task_failed_event_attributes.failure),
    ),
    "activity_task_timed_out_event_attributes": lambda event: TaskFailed(
        event.activity_task_timed_out_event_attributes.scheduled_event_id,
        details_of(event.activity_task_timed_out_event_attributes.failure),
    ),
    "activity_task_canceled_event_attributes": lambda event: TaskFailed(
        event.activity_task_canceled_event_attributes.scheduled_event_id, CANCELED
    ),
    "start_child_workflow_execution_failed_event_attributes": _child_not_started,
    "child_workflow_execution_completed_event_attributes": _child_completed,
    "child_workflow_execution_failed_event_attributes": _child_failure,
    "child_workflow_execution_canceled_event_attributes": lambda event: ChildFailed(
        event.child_workflow_execution_canceled_event_attributes.initiated_event_id, CANCELED
    ),
    "child_workflow_execution_timed_out_event_attributes": lambda event: ChildFailed(
        event.child_workflow_execution_timed_out_event_attributes.initiated_event_id, TIMED_OUT
    ),
    "child_workflow_execution_terminated_event_attributes": lambda event: ChildFailed(
        event.child_workflow_execution_terminated_event_attributes.initiated_event_id,
        FailureDetails("TerminatedError", "it was terminated"),
    ),
}
# What its code decided in a workflow task.
_DECIDED: dict[str, Callable[[Recorded], HistoryEvent]] = {
    "activity_task_scheduled_event_attributes": _scheduled,
    "start_child_workflow_execution_initiated_event_attributes": _child_created,
    "signal_external_workflow_execution_initiated_event_attributes": _sent,
    "workflow_execution_completed_event_attributes": _completed,
    "workflow_execution_failed_event_attributes": _failed,
    "workflow_execution_canceled_event_attributes": _canceled,
    "workflow_execution_continued_as_new_event_attributes": _continued,
}
# How it ends without its code.
_ENDED: dict[str, Callable[[Recorded], list[HistoryEvent]]] = {
    "workflow_execution_terminated_event_attributes": _terminated,
    "workflow_execution_timed_out_event_attributes": lambda _: [
        ExecutionCompleted(WorkflowStatus.FAILED, failure=TIMED_OUT)
    ],
}
