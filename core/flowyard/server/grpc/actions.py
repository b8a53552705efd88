"""What a worker has decided in a turn, as our actions (docs/protocol.md §9)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal

from google.protobuf.message import Message

from flowyard.backend.executor import Turn, TurnResult
from flowyard.backend.history import (
    LINEAGE,
    Action,
    ChildCreated,
    ContinuedAsNew,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    TaskScheduled,
    TimerCreated,
)
from flowyard.errors import InvalidRequest, NonDeterminismError
from flowyard.failure import FailureDetails
from flowyard.identifier import child_instance_id
from flowyard.models import WorkflowStatus, check_any_id
from flowyard.server.grpc.known import Known, is_optional
from flowyard.server.grpc.values import STATUSES, failure_of, microseconds
from flowyard.wire.v1 import taskhub_pb2 as wire

logger = logging.getLogger(__name__)

_VERSION_MISSING = FailureDetails(
    "WorkflowVersionNotAvailable",
    "no connected worker has the version of the workflow that the history names: "
    "the instance goes on when one that has it connects",
)
# What the SDKs of Python and JavaScript, and of Java, call it.
_MISFITS = {"NonDeterminismError", "NonDeterministicOrchestratorException"}


def turn_result(response: wire.WorkflowResponse, turn: Turn, app_id: str) -> TurnResult:
    """Return what the worker of an app has decided.

    An answer that does not fit the history stalls the instance, and one that asks for what cannot
    be done fails it: neither may be lost, or the worker would be asked for ever.
    """
    if any(action.HasField("workflow_version_not_available") for action in response.actions):
        return TurnResult(stalled=_VERSION_MISSING)
    if (misfit := _misfit(response)) is not None:
        return TurnResult(stalled=misfit)
    known = Known.of(turn)
    patches = tuple(dict.fromkeys(response.version.patches))
    if not known.is_suspended:
        # One that is paused runs no code, and names no patches.
        if patches[: len(known.patches)] != known.patches:
            return TurnResult(stalled=_other_patches(known.patches, patches))
        patches = patches[len(known.patches) :]
    decoding = _Decoding(turn, known, app_id)
    try:
        actions = [decoding.action(action) for action in response.actions]
    except NonDeterminismError as error:
        return TurnResult(stalled=FailureDetails.of(error))
    except InvalidRequest as error:
        logger.warning(
            "instance '%s' fails because of its worker's answer: %s", turn.instance_id, error
        )
        failure = FailureDetails.of(error)
        actions = [ExecutionCompleted(WorkflowStatus.FAILED, failure=failure)]
    return TurnResult(
        actions, _text(response, "custom_status"), response.version.name or None, patches
    )


def _misfit(response: wire.WorkflowResponse) -> FailureDetails | None:
    """Return what the worker says of code that does not fit history, which SDKs call a failure."""
    for action in response.actions:
        failure = action.complete_workflow.failure_details
        # Java's names have their package before them.
        if failure.error_type.rpartition(".")[2] in _MISFITS:
            return failure_of(failure)
    return None


def _other_patches(recorded: tuple[str, ...], asked: tuple[str, ...]) -> FailureDetails:
    of_history, of_code = (", ".join(map(repr, patches)) or "none" for patches in (recorded, asked))
    return FailureDetails(
        "PatchMismatch",
        f"the history has these patches, in this order: {of_history}. The worker's code asked for: "
        f"{of_code}. The instance goes on when a worker connects whose code begins with the "
        "patches of the history.",
    )


def is_repeated(response: wire.WorkflowResponse, turn: Turn) -> bool:
    """Whether a worker that sends no tokens answers a turn of the past once more."""
    known = Known.of(turn)
    return any(known.has(action) for action in response.actions)


class _Decoding:
    """Reads the actions of one turn. Retries are told by what their call has been named before."""

    def __init__(self, turn: Turn, known: Known, app_id: str) -> None:
        self._instance_id = turn.instance_id
        self._app_id = app_id
        self._known = known
        self._asked: set[int] = set()
        self._calls: dict[str, int] = {}
        self._attempts: dict[int, int] = {}
        self._children: dict[str, int] = {}
        execution_id = self._execution_id = turn.execution_id
        for event in turn.past:
            if isinstance(event, TaskScheduled):
                self._calls.setdefault(event.task_execution_id(execution_id), event.first_id)
                self._attempts[event.first_id] = event.attempt
            elif isinstance(event, ChildCreated) and not event.detached:
                self._children.setdefault(event.instance_id, event.first_id or event.id)

    def action(self, action: wire.WorkflowAction) -> Action:
        kind = action.WhichOneof("workflow_action_type")
        decode = self._kinds.get(kind or "")
        if decode is None:
            raise InvalidRequest(
                f"the worker asked for {kind or 'something'} (action #{action.id}), "
                "which is not supported here"
            )
        if kind != "complete_workflow":
            if self._known.has(action):
                raise NonDeterminismError(
                    f"the worker asked for action #{action.id}, which the history already has"
                )
            if action.id in self._asked:
                raise NonDeterminismError(
                    f"the worker asked for two actions with the number {action.id} in one answer"
                )
            if not is_optional(action):
                self._asked.add(action.id)
        return decode(self, action, getattr(action, kind or ""))

    def _schedule(self, action: wire.WorkflowAction, call: wire.ScheduleTaskAction) -> Action:
        number, name, first = action.id, call.task_execution_id, action.id
        if (retried := self._known.retried(action)) is not None:
            # An SDK of old gives a retry the number of the first attempt.
            number, first = self._known.new_number(), retried
        elif name:
            first = self._calls.setdefault(name, action.id)
        attempt = self._attempts[first] = self._attempts.get(first, 0) + 1
        refused = self._refusal(action, call.name, "activity", call.history_propagation_scope)
        return TaskScheduled(
            number,
            call.name,
            _text(call, "input"),
            first,
            name or None,
            attempt,
            refused,
            0 if refused is not None else call.history_propagation_scope,
        )

    def _child(self, action: wire.WorkflowAction, call: wire.CreateChildWorkflowAction) -> Action:
        number, first = action.id, None
        if (retried := self._known.retried(action)) is not None:
            number, first = self._known.new_number(), retried
        child_id = call.instance_id or self._id_of(action)
        self._children.setdefault(child_id, number)
        scope = call.history_propagation_scope
        refused = self._refusal(action, call.name, "workflow", scope, child_id)
        return ChildCreated(
            number,
            call.name,
            child_id,
            _text(call, "input"),
            refused=refused,
            propagation=0 if refused is not None else scope,
            first_id=first,
        )

    def _detached(
        self, action: wire.WorkflowAction, call: wire.CreateDetachedWorkflowAction
    ) -> Action:
        started_id = call.instance_id or self._id_of(action)
        refused = self._refusal(action, call.name, "workflow", 0, started_id)
        if refused is not None:
            # Nobody waits for it: there is nothing that could be answered.
            logger.warning(
                "instance '%s': detached workflow '%s' was not started: %s",
                self._instance_id,
                call.name,
                refused.message,
            )
        start_at = None
        if call.HasField("scheduled_start_timestamp"):
            start_at = microseconds(call.scheduled_start_timestamp)
        text = _text(call, "input")
        return ChildCreated(action.id, call.name, started_id, text, True, start_at, refused)

    def _id_of(self, action: wire.WorkflowAction) -> str:
        return child_instance_id(self._instance_id, self._execution_id, action.id)

    def _refusal(
        self,
        action: wire.WorkflowAction,
        name: str,
        kind: str,
        scope: int,
        instance_id: str | None = None,
    ) -> FailureDetails | None:
        """Return why something cannot be called, None if it can: its caller learns by its task."""
        target = action.router.target_app_id
        if target and target != self._app_id:
            return FailureDetails(
                "AppNotServed",
                f"{kind} '{name}' is called in app '{target}', and this server serves app "
                f"'{self._app_id}': several apps are not served yet. Leave the app's ID out.",
                non_retryable=True,
            )
        try:
            _check_call(name, kind, scope, instance_id)
        except InvalidRequest as error:
            return FailureDetails(type(error).__name__, str(error), non_retryable=True)
        return None

    def _timer(self, action: wire.WorkflowAction, timer: wire.CreateTimerAction) -> Action:
        fire_at = microseconds(timer.fire_at)
        name = timer.name if timer.HasField("name") else None
        kind = timer.WhichOneof("origin")
        origin: Literal["timer", "event", "activity-retry", "child-retry"] = "timer"
        first: int | None = None
        if kind == "external_event":
            origin, name = "event", timer.external_event.name
        elif kind == "activity_retry":
            origin, first = (
                "activity-retry",
                self._calls.get(timer.activity_retry.task_execution_id),
            )
        elif kind == "child_workflow_retry":
            origin = "child-retry"
            first = self._children.get(timer.child_workflow_retry.instance_id)
        return TimerCreated(action.id, fire_at, origin, name, first)

    def _send(self, action: wire.WorkflowAction, sent: wire.SendEventAction) -> Action:
        return EventSent(action.id, sent.instance.instance_id, sent.name, _text(sent, "data"))

    def _complete(
        self, _action: wire.WorkflowAction, completion: wire.CompleteWorkflowAction
    ) -> Action:
        result = _text(completion, "result")
        number = completion.workflow_status
        status = STATUSES[number] if 0 <= number < len(STATUSES) else None
        if status is WorkflowStatus.CONTINUED_AS_NEW:
            carryover = tuple(
                EventRaised(event.event_raised.name, _text(event.event_raised, "input"))
                for event in completion.carryover_events
                if event.HasField("event_raised")
            )
            return ContinuedAsNew(result, carryover)
        if status is None or not status.is_closed:
            raise InvalidRequest(f"the worker completed the workflow with status {number}")
        if status is WorkflowStatus.COMPLETED:
            return ExecutionCompleted(status, result)
        failure = None
        if completion.HasField("failure_details"):
            failure = failure_of(completion.failure_details)
        elif status is WorkflowStatus.FAILED:
            failure = FailureDetails("Error", "the worker gave no reason for the failure")
        return ExecutionCompleted(
            status, None if status is WorkflowStatus.FAILED else result, failure
        )

    _kinds: dict[str, Callable[[Any, Any, Any], Action]] = {  # noqa: RUF012
        "schedule_task": _schedule,
        "create_child_workflow": _child,
        "create_detached_workflow": _detached,
        "create_timer": _timer,
        "send_event": _send,
        "complete_workflow": _complete,
    }


def _check_call(name: str, kind: str, scope: int, instance_id: str | None) -> None:
    if instance_id is not None:
        check_any_id(instance_id)
    if not name:
        raise InvalidRequest(f"the name of the {kind} is empty")
    if not 0 <= scope <= LINEAGE:
        raise InvalidRequest(
            f"{kind} '{name}' is called with history propagation scope {scope}: use 0 to {LINEAGE}"
        )


def _text(message: Message, field: str) -> str | None:
    """Return a text that may be absent, which is not the same as empty."""
    return getattr(message, field).value if message.HasField(field) else None
