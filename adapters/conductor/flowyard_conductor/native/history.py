"""The tasks of a native workflow as events of a history."""

from __future__ import annotations

from collections.abc import Iterator

from flowyard.backend import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionTerminated,
    FailureDetails,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    WorkflowStatus,
)
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.payloads import text_of
from flowyard_conductor.native.states import STATUSES, event_of, failure_of, is_timer

# What Conductor does by itself between the tasks that do something.
_STRUCTURE = frozenset(
    {
        "DECISION",
        "DO_WHILE",
        "EXCLUSIVE_JOIN",
        "FORK",
        "FORK_JOIN",
        "FORK_JOIN_DYNAMIC",
        "JOIN",
        "NOOP",
        "SET_VARIABLE",
        "SWITCH",
        "TERMINATE",
    }
)
_FAILED = frozenset({"FAILED", "FAILED_WITH_TERMINAL_ERROR", "TIMED_OUT", "CANCELED"})


def translated(workflow: Json) -> list[HistoryEvent]:
    """Return the events of a native workflow, oldest first; IDs are the numbers of its tasks."""
    started = ExecutionStarted(
        workflow["workflowName"], text_of(workflow.get("input")), workflow["workflowId"]
    )
    timed: list[tuple[int, int, HistoryEvent]] = [(workflow["createTime"], 0, started)]
    first: dict[str, int] = {}
    for task in workflow["tasks"]:
        if task["taskType"] not in _STRUCTURE:
            number = int(task["seq"])
            first_id = first.setdefault(task["referenceTaskName"], number)
            timed += [(at, number, event) for at, event in _of_task(task, first_id)]
    timed.sort(key=lambda pair: pair[:2])
    ended = workflow.get("endTime") or 0
    timed += [(ended, 0, event) for event in _end_of(workflow)]
    events: list[HistoryEvent] = []
    now = -1
    for at, _, event in timed:
        if at > now:
            now = at
            events.append(TurnStarted(at * 1000))
        events.append(event)
    return events


def _of_task(task: Json, first_id: int) -> Iterator[tuple[int, HistoryEvent]]:
    kind, status, number = task["taskType"], task["status"], int(task["seq"])
    scheduled = task["scheduledTime"]
    ended = task.get("endTime") or scheduled
    output = text_of(task.get("outputData"))
    failed = FailureDetails(
        "TaskTimedOut" if status == "TIMED_OUT" else "TaskFailed",
        task.get("reasonForIncompletion") or status,
    )
    if kind == "WAIT" and is_timer(task):
        yield scheduled, TimerCreated(number, int(task.get("waitTimeout") or 0) * 1000)
        if status == "COMPLETED":
            yield ended, TimerFired(number, int(task.get("waitTimeout") or 0) * 1000)
    elif kind in {"WAIT", "HUMAN"}:
        if status == "COMPLETED":
            yield ended, EventRaised(event_of(task), output)
    elif kind == "SUB_WORKFLOW":
        inner = task.get("inputData") or {}
        name = str(inner.get("subWorkflowName") or task["referenceTaskName"])
        child = task.get("subWorkflowId") or ""
        yield scheduled, ChildCreated(number, name, child, text_of(inner.get("workflowInput")))
        if status == "COMPLETED":
            yield ended, ChildCompleted(number, output)
        elif status in _FAILED:
            yield ended, ChildFailed(number, failed)
    else:
        name = task.get("taskDefName") or kind
        yield scheduled, TaskScheduled(number, name, text_of(task.get("inputData")), first_id)
        if status in {"COMPLETED", "COMPLETED_WITH_ERRORS", "SKIPPED"}:
            yield ended, TaskCompleted(number, output)
        elif status in _FAILED:
            yield ended, TaskFailed(number, failed)


def _end_of(workflow: Json) -> Iterator[HistoryEvent]:
    status = STATUSES[workflow["status"]]
    if status is WorkflowStatus.TERMINATED:
        yield ExecutionTerminated()
        yield ExecutionCompleted(status)
    elif status is WorkflowStatus.COMPLETED:
        yield ExecutionCompleted(status, text_of(workflow.get("output")) or "null")
    elif status is WorkflowStatus.FAILED:
        yield ExecutionCompleted(status, failure=failure_of(workflow))
