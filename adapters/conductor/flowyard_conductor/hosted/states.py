"""The state of a hosted instance: what its records say, and what has come since."""

from __future__ import annotations

from datetime import datetime

from flowyard.backend import FailureDetails, WorkflowState, WorkflowStatus
from flowyard_conductor.api.connection import Json
from flowyard_conductor.hosted.instance import HostedInstance, started_of
from flowyard_conductor.hosted.records import Outcome
from flowyard_conductor.instances import to_time
from flowyard_conductor.native.states import STATUSES, failure_of, updated_at


def state_of(
    workflow: Json,
    instance: HostedInstance | None,
    suspended: bool | None,
    now: int,
    *,
    payloads: bool,
) -> WorkflowState:
    """Put the state of a hosted instance together; `instance` is given while it is active."""
    given = workflow["input"]
    started = started_of(given)
    status = STATUSES[workflow["status"]]
    outcome: Outcome | None = None
    failure: FailureDetails | None = None
    custom_status: str | None = None
    text, detail = started.input, workflow.get("reasonForIncompletion") or None
    if instance is not None:
        status, detail = _status_of(instance, status, suspended, now)
        failure = instance.stalled
        custom_status = instance.custom_status
        if instance.journal.started is not None:
            text = instance.journal.started.input
    elif (found := (workflow.get("output") or {}).get("outcome")) is not None:
        outcome = Outcome.of(found)
        status, failure, custom_status = outcome.status, outcome.failure, outcome.custom_status
        text = outcome.renewed_input if outcome.is_renewed else text
        detail = None
    elif status is WorkflowStatus.FAILED:
        failure = failure_of(workflow)
    return WorkflowState(
        instance_id=workflow["correlationId"],
        workflow=started.workflow,
        status=status,
        created_at=to_time(workflow["createTime"]),
        last_updated_at=_updated_at(workflow),
        input=text if payloads else None,
        output=outcome.result if outcome is not None and payloads else None,
        custom_status=custom_status or None,
        failure=failure if payloads else None,
        parent_instance_id=started.parent.instance_id if started.parent is not None else None,
        detail=detail,
    )


def outcome_of(workflow: Json) -> Outcome:
    """Return how a hosted instance has ended, also where Conductor or somebody in it ended it."""
    found = (workflow.get("output") or {}).get("outcome")
    if found is not None:
        return Outcome.of(found)
    status = STATUSES[workflow["status"]]
    failure = failure_of(workflow) if status is not WorkflowStatus.TERMINATED else None
    return Outcome(status, None, failure, None)


def _status_of(
    instance: HostedInstance, server: WorkflowStatus, suspended: bool | None, now: int
) -> tuple[WorkflowStatus, str | None]:
    if instance.stalled is not None:
        return WorkflowStatus.STALLED, instance.stalled.message
    if suspended or (suspended is None and instance.journal.suspended):
        return WorkflowStatus.SUSPENDED, None
    if server is WorkflowStatus.SUSPENDED:
        return server, "it is paused in Conductor"
    if instance.journal.started is None and not instance.backlog:
        start_at = instance.started.start_at
        is_due = start_at is None or start_at <= now
        return WorkflowStatus.PENDING, "no process has taken its first turn" if is_due else None
    return WorkflowStatus.RUNNING, None


def _updated_at(workflow: Json) -> datetime:
    if workflow.get("endTime"):
        return updated_at(workflow)
    steps = [task.get("updateTime") or 0 for task in workflow.get("tasks") or ()]
    return max(updated_at(workflow), to_time(max(steps, default=0)))
