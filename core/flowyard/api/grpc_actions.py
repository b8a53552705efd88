"""What a worker has decided in a turn, as our actions (PROTOCOL §9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from google.protobuf.message import Message

from flowyard.api.grpc_values import STATUSES, failure_of, microseconds
from flowyard.errors import InvalidRequest, NonDeterminismError
from flowyard.executor import Turn, TurnResult
from flowyard.history import (
    Action,
    ChildCreated,
    ContinuedAsNew,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    TaskScheduled,
    TimerCreated,
)
from flowyard.models import FailureDetails, WorkflowStatus, check_instance_id
from flowyard.wire.v1 import taskhub_pb2 as wire

_ACTIONS = (TaskScheduled, TimerCreated, ChildCreated, EventSent)
_VERSION_MISSING = FailureDetails(
    "WorkflowVersionNotAvailable",
    "no connected worker has the version of the workflow that history names: "
    "the instance goes on when one that has it connects",
)
# What the SDKs of Python and JavaScript, and of Java, call it.
_MISFITS = {"NonDeterminismError", "NonDeterministicOrchestratorException"}


def turn_result(response: wire.WorkflowResponse, turn: Turn) -> TurnResult:
    """Return what the worker has decided.

    An answer that does not fit the history stalls the instance, and one that asks for what cannot
    be done fails it: neither may be lost, or the worker would be asked for ever.
    """
    if any(one.HasField("workflow_version_not_available") for one in response.actions):
        return TurnResult(stalled=_VERSION_MISSING)
    if (misfit := _misfit(response)) is not None:
        return TurnResult(stalled=misfit)
    decoding = _Decoding(turn)
    try:
        actions = [decoding.action(one) for one in response.actions]
    except NonDeterminismError as error:
        return TurnResult(stalled=FailureDetails.of(error))
    except InvalidRequest as error:
        failure = FailureDetails.of(error)
        actions = [ExecutionCompleted(WorkflowStatus.FAILED, failure=failure)]
    version = response.version
    return TurnResult(
        actions,
        _text(response, "custom_status"),
        version.name or None,
        tuple(version.patches),
    )


def _misfit(response: wire.WorkflowResponse) -> FailureDetails | None:
    """Return what the worker says of code that does not fit history, which SDKs call a failure."""
    for one in response.actions:
        failure = one.complete_workflow.failure_details
        # Java's names have their package before them.
        if failure.error_type.rpartition(".")[2] in _MISFITS:
            return failure_of(failure)
    return None


def is_repeated(response: wire.WorkflowResponse, turn: Turn) -> bool:
    """Whether a worker that sends no tokens answers a turn of the past once more."""
    known = {event.id for event in turn.past if isinstance(event, _ACTIONS)}
    return any(action.id in known for action in response.actions)


class _Decoding:
    """Reads the actions of one turn. Retries are told by what their call has been named before."""

    def __init__(self, turn: Turn) -> None:
        self._instance_id = turn.instance_id
        self._ids: set[int] = set()
        self._calls: dict[str, int] = {}
        self._children: dict[str, int] = {}
        execution_id = turn.execution_id
        for event in turn.past:
            if isinstance(event, _ACTIONS):
                self._ids.add(event.id)
            if isinstance(event, TaskScheduled):
                self._calls.setdefault(event.task_execution_id(execution_id), event.first_id)
            elif isinstance(event, ChildCreated):
                self._children.setdefault(event.instance_id, event.id)

    def action(self, action: wire.WorkflowAction) -> Action:
        kind = action.WhichOneof("workflow_action_type")
        decode = self._kinds.get(kind or "")
        if decode is None:
            raise InvalidRequest(
                f"the worker asked for {kind or 'something'} (action #{action.id}), "
                "which is not supported here"
            )
        if action.router.target_app_id:
            raise InvalidRequest(
                f"action #{action.id} is for app '{action.router.target_app_id}': "
                "calls across apps are not supported. Leave app_id out."
            )
        if kind != "complete_workflow":
            if action.id in self._ids:
                raise NonDeterminismError(
                    f"the worker asked for action #{action.id}, which history has already"
                )
            self._ids.add(action.id)
        return decode(self, action.id, getattr(action, kind or ""))

    def _schedule(self, id: int, action: wire.ScheduleTaskAction) -> Action:
        call = action.task_execution_id
        first = self._calls.setdefault(call, id) if call else id
        return TaskScheduled(id, action.name, _text(action, "input"), first, call or None)

    def _child(self, id: int, action: wire.CreateChildWorkflowAction) -> Action:
        child_id = action.instance_id or f"{self._instance_id}:{id:04x}"
        check_instance_id(child_id)
        self._children.setdefault(child_id, id)
        return ChildCreated(id, action.name, child_id, _text(action, "input"))

    def _timer(self, id: int, action: wire.CreateTimerAction) -> Action:
        fire_at = microseconds(action.fire_at)
        name = action.name if action.HasField("name") else None
        kind = action.WhichOneof("origin")
        origin: Literal["timer", "event", "activity-retry", "child-retry"] = "timer"
        first: int | None = None
        if kind == "external_event":
            origin, name = "event", action.external_event.name
        elif kind == "activity_retry":
            origin, first = (
                "activity-retry",
                self._calls.get(action.activity_retry.task_execution_id),
            )
        elif kind == "child_workflow_retry":
            origin = "child-retry"
            first = self._children.get(action.child_workflow_retry.instance_id)
        return TimerCreated(id, fire_at, origin, name, first)

    def _send(self, id: int, action: wire.SendEventAction) -> Action:
        return EventSent(id, action.instance.instance_id, action.name, _text(action, "data"))

    def _complete(self, _id: int, action: wire.CompleteWorkflowAction) -> Action:
        result = _text(action, "result")
        number = action.workflow_status
        status = STATUSES[number] if 0 <= number < len(STATUSES) else None
        if status is WorkflowStatus.CONTINUED_AS_NEW:
            carryover = tuple(
                EventRaised(one.event_raised.name, _text(one.event_raised, "input"))
                for one in action.carryover_events
                if one.HasField("event_raised")
            )
            return ContinuedAsNew(result, carryover)
        if status is None or not status.is_closed:
            raise InvalidRequest(f"the worker completed the workflow with status {number}")
        failure = None
        if action.HasField("failure_details"):
            failure = failure_of(action.failure_details)
        elif status is WorkflowStatus.FAILED:
            failure = FailureDetails("Error", "the worker said no more than that it failed")
        return ExecutionCompleted(
            status, None if status is WorkflowStatus.FAILED else result, failure
        )

    _kinds: dict[str, Callable[[Any, int, Any], Action]] = {  # noqa: RUF012
        "schedule_task": _schedule,
        "create_child_workflow": _child,
        "create_timer": _timer,
        "send_event": _send,
        "complete_workflow": _complete,
    }


def _text(message: Message, field: str) -> str | None:
    """Return a text that may be absent, which is not the same as empty."""
    return getattr(message, field).value if message.HasField(field) else None
