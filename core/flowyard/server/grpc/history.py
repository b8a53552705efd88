"""History as workers of Dapr's SDKs see it (docs/protocol.md §8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from flowyard.backend.history import (
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
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
)
from flowyard.server.grpc.known import number_of
from flowyard.server.grpc.values import NUMBERS, failure, string, timestamp
from flowyard.wire.v1 import taskhub_pb2 as wire

# The ID of every event that no action has caused.
_FROM_OUTSIDE = -1


class Rendering:
    """Renders the events of one execution, oldest first: later ones refer to earlier ones.

    SDKs learn from its start which app theirs is, or they run locally what is for another one.
    """

    def __init__(self, instance_id: str, app_id: str) -> None:
        self._instance_id = instance_id
        self._app_id = app_id
        self._execution_id = ""
        self._at = 0
        self._calls: dict[int, str] = {}
        self._children: dict[int, str] = {}
        self._numbers: dict[int, int] = {}

    def render(self, events: Iterable[HistoryEvent]) -> list[wire.HistoryEvent]:
        """Return the events that follow those rendered before."""
        return [self._event(event) for event in events]

    def _event(self, event: HistoryEvent) -> wire.HistoryEvent:
        if isinstance(event, TurnStarted):
            self._at = event.at
        event_id = getattr(event, "id", _FROM_OUTSIDE)
        if isinstance(event, (TaskScheduled, ChildCreated)):
            event_id = number_of(event)
            if event_id != event.id:
                self._numbers[event.id] = event_id
        rendered = wire.HistoryEvent(event_id=event_id, timestamp=timestamp(self._at))
        name, render = self._KINDS[type(event)]
        if isinstance(event, ChildCreated) and event.detached:
            rendered.detached_workflow_instance_created.instance_id = event.instance_id
        else:
            getattr(rendered, name).CopyFrom(render(self, event))
        if isinstance(event, ExecutionStarted):
            rendered.router.source_app_id = self._app_id
        return rendered

    def _number(self, action_id: int) -> int:
        return self._numbers.get(action_id, action_id)

    def _turn_started(self, event: TurnStarted) -> wire.WorkflowStarted:
        if event.version is None and not event.patches:
            return wire.WorkflowStarted()
        version = wire.WorkflowVersion(name=event.version, patches=event.patches)
        return wire.WorkflowStarted(version=version)

    def _started(self, event: ExecutionStarted) -> wire.ExecutionStarted:
        self._execution_id = event.execution_id
        instance = wire.WorkflowInstance(
            instance_id=self._instance_id, execution_id=string(event.execution_id)
        )
        parent = None
        if event.parent is not None:
            parent = wire.ParentInstanceInfo(
                task_scheduled_id=event.parent.task_id,
                name=string(event.parent.workflow),
                workflow_instance=wire.WorkflowInstance(
                    instance_id=event.parent.instance_id,
                    execution_id=string(event.parent.execution_id),
                ),
            )
        return wire.ExecutionStarted(
            name=event.workflow,
            input=string(event.input),
            workflow_instance=instance,
            parent_instance=parent,
            scheduled_start_timestamp=(
                None if event.start_at is None else timestamp(event.start_at)
            ),
        )

    def _task_scheduled(self, event: TaskScheduled) -> wire.TaskScheduled:
        call = self._calls[event.id] = event.task_execution_id(self._execution_id)
        return wire.TaskScheduled(
            name=event.name,
            input=string(event.input),
            task_execution_id=call,
            history_propagation_scope=event.propagation or None,
        )

    def _task_completed(self, event: TaskCompleted) -> wire.TaskCompleted:
        return wire.TaskCompleted(
            task_scheduled_id=self._number(event.task_id),
            result=string(event.output),
            task_execution_id=self._calls.get(event.task_id, ""),
        )

    def _task_failed(self, event: TaskFailed) -> wire.TaskFailed:
        return wire.TaskFailed(
            task_scheduled_id=self._number(event.task_id),
            failure_details=failure(event.failure),
            task_execution_id=self._calls.get(event.task_id, ""),
        )

    def _timer_created(self, event: TimerCreated) -> wire.TimerCreated:
        timer = wire.TimerCreated(fire_at=timestamp(event.fire_at))
        if event.origin == "activity-retry":
            call = self._calls.get(event.first_id or 0, "")
            timer.activity_retry.task_execution_id = call
        elif event.origin == "child-retry":
            child = self._children.get(event.first_id or 0, "")
            timer.child_workflow_retry.instance_id = child
        else:
            if event.name is not None:
                timer.name = event.name
            if event.origin == "event":
                timer.external_event.name = event.name or ""
            else:
                timer.create_timer.SetInParent()
        return timer

    def _timer_fired(self, event: TimerFired) -> wire.TimerFired:
        return wire.TimerFired(fire_at=timestamp(event.fire_at), timer_id=event.timer_id)

    def _child_created(self, event: ChildCreated) -> wire.ChildWorkflowInstanceCreated:
        self._children[event.id] = event.instance_id
        return wire.ChildWorkflowInstanceCreated(
            instance_id=event.instance_id,
            name=event.name,
            input=string(event.input),
            history_propagation_scope=event.propagation or None,
        )

    def _child_completed(self, event: ChildCompleted) -> wire.ChildWorkflowInstanceCompleted:
        return wire.ChildWorkflowInstanceCompleted(
            task_scheduled_id=self._number(event.task_id), result=string(event.output)
        )

    def _child_failed(self, event: ChildFailed) -> wire.ChildWorkflowInstanceFailed:
        return wire.ChildWorkflowInstanceFailed(
            task_scheduled_id=self._number(event.task_id),
            failure_details=failure(event.failure),
        )

    def _raised(self, event: EventRaised) -> wire.EventRaised:
        return wire.EventRaised(name=event.name, input=string(event.input))

    def _sent(self, event: EventSent) -> wire.EventSent:
        return wire.EventSent(
            instance_id=event.instance_id, name=event.name, input=string(event.input)
        )

    def _suspended(self, event: ExecutionSuspended) -> wire.ExecutionSuspended:
        return wire.ExecutionSuspended(input=string(event.reason))

    def _resumed(self, event: ExecutionResumed) -> wire.ExecutionResumed:
        return wire.ExecutionResumed(input=string(event.reason))

    def _terminated(self, event: ExecutionTerminated) -> wire.ExecutionTerminated:
        return wire.ExecutionTerminated(input=string(event.output), recurse=event.recursive)

    def _completed(self, event: ExecutionCompleted) -> wire.ExecutionCompleted:
        return wire.ExecutionCompleted(
            workflow_status=NUMBERS[event.status],
            result=string(event.output),
            failure_details=failure(event.failure),
        )

    def _continued(self, event: ContinuedAsNew) -> wire.ContinueAsNew:
        return wire.ContinueAsNew(input=string(event.input))

    _KINDS: ClassVar[dict[type, tuple[str, Callable[[Any, Any], Any]]]] = {
        TurnStarted: ("workflow_started", _turn_started),
        ExecutionStarted: ("execution_started", _started),
        TaskScheduled: ("task_scheduled", _task_scheduled),
        TaskCompleted: ("task_completed", _task_completed),
        TaskFailed: ("task_failed", _task_failed),
        TimerCreated: ("timer_created", _timer_created),
        TimerFired: ("timer_fired", _timer_fired),
        ChildCreated: ("child_workflow_instance_created", _child_created),
        ChildCompleted: ("child_workflow_instance_completed", _child_completed),
        ChildFailed: ("child_workflow_instance_failed", _child_failed),
        EventRaised: ("event_raised", _raised),
        EventSent: ("event_sent", _sent),
        ExecutionSuspended: ("execution_suspended", _suspended),
        ExecutionResumed: ("execution_resumed", _resumed),
        ExecutionTerminated: ("execution_terminated", _terminated),
        ExecutionCompleted: ("execution_completed", _completed),
        ContinuedAsNew: ("continue_as_new", _continued),
    }
