"""A hosted instance in memory: what its records amount to, and what has come since."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from flowyard.backend import (
    Alarm,
    ChildCreated,
    EventSent,
    ExecutionStarted,
    FailureDetails,
    HistoryEvent,
    Journal,
    Parent,
    TaskScheduled,
    TimerCreated,
    TurnStarted,
    WorkflowState,
    WorkflowStatus,
    decode_events,
)
from flowyard_conductor.hosted.definitions import FIRST
from flowyard_conductor.hosted.inbox import Message
from flowyard_conductor.hosted.records import Outcome, Record, unpacked
from flowyard_conductor.instances import Json, to_time
from flowyard_conductor.native.states import STATUSES, failure_of, updated_at

STEP = "step__"
"""What the reference names of steps begin with; the number of the step follows."""

_ACTIONS = (TaskScheduled, ChildCreated, EventSent, TimerCreated)


class HostedInstance:
    """One instance. It is right as long as every record after the last one is of this process."""

    def __init__(self, workflow_id: str, instance_id: str, given: Json, created: int) -> None:
        self.workflow_id = workflow_id
        self.instance_id = instance_id
        self.started: ExecutionStarted = _started(given)
        """How the first execution begins."""
        self.parent_workflow_id: str | None = given.get("parentWorkflowId")
        self.created = created
        """In milliseconds, by the server's clock."""
        self.journal = Journal(instance_id)
        self.backlog: list[HistoryEvent] = []
        """Admitted, but no turn was taken over it yet."""
        self.kept: Sequence[HistoryEvent] = ()
        self.custom_status: str | None = None
        self.messages: list[str] = []
        """The latest messages that a turn has taken, by key."""
        self.children: list[str] = []
        """The instance IDs of all children, also of earlier executions."""
        self.side_workflows: dict[str, list[int]] = {}
        """Workflows beside this one, and the IDs of the actions that they are for."""
        self.pending: list[HistoryEvent] = []
        """What the last turn has decided and nobody has done yet."""
        self.is_redone = False
        """Whether somebody may have done some of it already."""
        self.pending_execution = ""
        self.fused: int | None = None
        self.stalled: FailureDetails | None = None
        self.outcome: Outcome | None = None
        self.iteration = 0
        self.base = 0
        self.record_id = ""
        self.is_parked = False
        self.results: dict[int, tuple[int, HistoryEvent]] = {}
        """Results of activities that have run in this process, with their times."""
        self.seen_messages: Sequence[Message] = ()
        """The messages that were seen last."""
        self.has_messages = False
        self.signal = asyncio.Event()
        """Set when something has come that a turn may have to see."""
        self.closed = asyncio.Event()
        self.is_settled = asyncio.Event()
        """Cleared while the server has a record of it and has not said that it is committed."""
        self.is_settled.set()
        self.lock = asyncio.Lock()
        self.alarm: Alarm | None = None

    @staticmethod
    def of(workflow: Json) -> HostedInstance:
        """Rebuild an instance from its workflow with all tasks."""
        given = workflow["input"]
        instance = HostedInstance(
            workflow["workflowId"], workflow["correlationId"], given, workflow["createTime"]
        )
        history: list[HistoryEvent] = []
        backlog: Sequence[HistoryEvent] = ()
        for iteration, record in _records(workflow):
            if record.events is not None:
                history = [*([] if record.is_base else history), *record.events]
                backlog = ()
            instance.note(record, iteration)
            if record.backlog is not None:
                instance.pending_execution = _execution(history)
                history, backlog = [], record.backlog
        instance.begin(history, backlog)
        instance.is_redone = True
        return instance

    def begin(self, history: Iterable[HistoryEvent], backlog: Iterable[HistoryEvent]) -> None:
        """Go on from a history, with what is to come after it."""
        self.journal = Journal(self.instance_id, history)
        self.backlog = [event for event in backlog if self.journal.admit(event)]

    def note(self, record: Record, iteration: int) -> None:
        """Take a record into account that is committed; the journal has its events already."""
        # A record that is told again has what somebody may have done already.
        self.is_redone = record.record_id == self.record_id
        self.iteration, self.record_id = iteration, record.record_id
        self.is_parked = record.next == "wait"
        self.fused = record.fused
        self.pending = []
        if record.events is not None:
            self.pending = [] if record.is_done else _decided(record.events, record.fused)
            self.pending_execution = ""
            if record.is_base:
                self.base = iteration
        self.kept, self.stalled = record.kept, record.stalled
        self.messages = [*([] if record.is_base else self.messages), *record.messages]
        self.custom_status = record.custom_status
        if record.children is not None:
            self.children = list(record.children)
        if record.side_workflows is not None:
            self.side_workflows = dict(record.side_workflows)
        self.outcome = record.outcome

    def is_at(self, task: Json) -> bool:
        """Whether a step follows upon the last record that this process knows."""
        steps = task["iteration"] - self.iteration
        known = (task.get("inputData") or {}).get("recordId")
        if steps == 1:
            # A dropped update leaves another record there, or none.
            return not self.is_parked and (known == self.record_id or self.iteration == 0)
        return steps == 2 and self.is_parked

    def next_due(self) -> int | None:
        """Return when time moves the instance on, in microseconds since the epoch."""
        if self.journal.started is None and not self.backlog:
            return self.started.start_at
        return self.journal.next_timer()

    def has_results_of(self, needed: Sequence[int]) -> bool:
        """Whether all that the code needs to go on has come, as far as this process knows."""
        return all(one in self.results or one not in self.journal.tasks for one in needed)

    def arrived(self, *, messages: bool = False) -> None:
        """Note that there is something to see."""
        self.has_messages = self.has_messages or messages
        self.signal.set()

    @property
    def status(self) -> WorkflowStatus:
        """What the records say, without messages that no turn has taken."""
        return WorkflowStatus.STALLED if self.stalled is not None else self.journal.status


def state_of(
    workflow: Json,
    instance: HostedInstance | None,
    suspended: bool | None,
    now: int,
    *,
    payloads: bool,
) -> WorkflowState:
    """Put the state of a hosted instance together; `live` is given while it is active."""
    given = workflow["input"]
    started = _started(given)
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


def parent_of(workflow: Json) -> tuple[str | None, Parent | None]:
    """Return the workflow that has started a hosted instance as its child, and by what."""
    given = workflow["input"]
    return given.get("parentWorkflowId"), _started(given).parent


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


def _started(given: Json) -> ExecutionStarted:
    (started,) = decode_events((unpacked(given["started"]) or "").encode())
    assert isinstance(started, ExecutionStarted)  # noqa: S101
    return started


def _records(workflow: Json) -> list[tuple[int, Record]]:
    first = workflow["input"].get(FIRST)
    records = [(0, Record.of(first))] if first is not None else []
    records += [
        (task["iteration"], Record.of(task["outputData"]))
        for task in workflow["tasks"]
        if task["referenceTaskName"].startswith(STEP)
        and "recordId" in (task.get("outputData") or {})
    ]
    records.sort(key=lambda one: one[0])
    bases = [place for place, (_, record) in enumerate(records) if record.is_base]
    return records[bases[-1] :] if bases else records


def _decided(events: Sequence[HistoryEvent], fused: int | None) -> list[HistoryEvent]:
    """Return what the last turn of some events wants done."""
    turns = [place for place, event in enumerate(events) if isinstance(event, TurnStarted)]
    begins = turns[-1] if turns else 0
    return [event for event in events[begins:] if isinstance(event, _ACTIONS) and event.id != fused]


def _execution(history: Sequence[HistoryEvent]) -> str:
    started = [event for event in history if isinstance(event, ExecutionStarted)]
    return started[0].execution_id if started else ""
