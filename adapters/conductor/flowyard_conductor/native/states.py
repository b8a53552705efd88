"""The state of a native workflow, as Conductor tells it."""

from __future__ import annotations

from datetime import datetime

from flowyard.backend import FailureDetails, WorkflowState, WorkflowStatus
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.payloads import text_of, to_text
from flowyard_conductor.instances import native_id_of, to_time

STATUSES = {
    "RUNNING": WorkflowStatus.RUNNING,
    "PAUSED": WorkflowStatus.SUSPENDED,
    "COMPLETED": WorkflowStatus.COMPLETED,
    "FAILED": WorkflowStatus.FAILED,
    "TIMED_OUT": WorkflowStatus.FAILED,
    "TERMINATED": WorkflowStatus.TERMINATED,
}
_WAITING = frozenset({"WAIT", "HUMAN"})
_OPEN = frozenset({"SCHEDULED", "IN_PROGRESS"})
_FAILED_TASKS = frozenset({"FAILED", "FAILED_WITH_TERMINAL_ERROR", "TIMED_OUT"})


def state_of(workflow: Json, *, payloads: bool) -> WorkflowState:
    """Put the state of a native workflow together; with its tasks, a failure has its cause."""
    status = STATUSES[workflow["status"]]
    reason = workflow.get("reasonForIncompletion") or None
    return WorkflowState(
        instance_id=native_id_of(workflow),
        workflow=workflow["workflowName"],
        status=status,
        created_at=to_time(workflow["createTime"]),
        last_updated_at=updated_at(workflow),
        input=text_of(workflow.get("input")) if payloads else None,
        output=_output_of(workflow) if payloads and status.is_closed else None,
        custom_status=to_text(workflow["variables"]) if workflow.get("variables") else None,
        failure=failure_of(workflow) if payloads and status is WorkflowStatus.FAILED else None,
        parent_instance_id=workflow.get("parentWorkflowId") or None,
        detail=_detail_of(workflow, status, reason),
    )


def updated_at(workflow: Json) -> datetime:
    """Return when something happened last."""
    ended = workflow.get("endTime") or 0
    updated: int = ended or max(workflow.get("updateTime") or 0, workflow["createTime"])
    return to_time(updated)


def failure_of(workflow: Json) -> FailureDetails:
    """Return why a workflow has failed, with the task that it failed by."""
    timed_out = workflow["status"] == "TIMED_OUT"
    reason = workflow.get("reasonForIncompletion") or "Conductor gives no reason"
    failed = [task for task in workflow.get("tasks") or () if task["status"] in _FAILED_TASKS]
    return FailureDetails(
        error_type="WorkflowTimedOut" if timed_out else "WorkflowFailed",
        message=reason,
        cause=_failure_of_task(failed[-1]) if failed else None,
    )


def _failure_of_task(task: Json) -> FailureDetails:
    timed_out = task["status"] == "TIMED_OUT"
    reason = task.get("reasonForIncompletion") or task["status"]
    return FailureDetails(
        error_type="TaskTimedOut" if timed_out else "TaskFailed",
        message=f"task '{task['referenceTaskName']}' of type '{task['taskType']}': {reason}",
        non_retryable=task["status"] == "FAILED_WITH_TERMINAL_ERROR",
    )


def _detail_of(workflow: Json, status: WorkflowStatus, reason: str | None) -> str | None:
    if status is WorkflowStatus.COMPLETED:
        return None
    waiting = [repr(event_of(task)) for task in open_waits(workflow)]
    if reason is None and waiting:
        return f"waits for {'event' if len(waiting) == 1 else 'events'} {', '.join(waiting)}"
    return reason


def _output_of(workflow: Json) -> str | None:
    output = text_of(workflow.get("output"))
    return output or "null" if workflow["status"] == "COMPLETED" else output


def open_waits(workflow: Json) -> list[Json]:
    """Return the tasks that an event completes, if the workflow came with its tasks."""
    return [
        task
        for task in workflow.get("tasks") or ()
        if task["taskType"] in _WAITING and task["status"] in _OPEN and not is_timer(task)
    ]


def event_of(task: Json) -> str:
    """Return the name of the event that completes a task: in a loop, its round is not part."""
    name = str(task["referenceTaskName"])
    return name.removesuffix(f"__{task['iteration']}") if task.get("iteration") else name


def is_timer(task: Json) -> bool:
    """Whether a WAIT task waits for a time."""
    given = task.get("inputData") or {}
    return bool(given.get("duration") or given.get("until"))
