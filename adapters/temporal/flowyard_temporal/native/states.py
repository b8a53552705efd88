"""The state of an instance, from a description of its run and the two ends of its history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, PendingWorkflowTaskState, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from flowyard.backend import FailureDetails, WorkflowState, WorkflowStatus, to_datetime
from flowyard_temporal.native.failures import TIMED_OUT, details_of
from flowyard_temporal.native.retries import failure_before, words_of_activities, words_of_run
from flowyard_temporal.payloads import hosted_text_of, text_of, text_of_all
from flowyard_temporal.times import time_of

CUSTOM_STATUS = "customStatus"
"""The memo key of the custom status; a native workflow that sets it has one too."""
CREATED_AT = "flowyard.createdAt"
"""The memo key of the time, in microseconds, at which the first of several runs was started."""
HOSTED = "flowyard.hosted"
"""The memo key that marks hosted instances."""
STALLED = "flowyard.stalled"
"""The memo key of why no worker's code fits a hosted instance."""
PAUSED = "flowyard.paused"
"""The memo key of a hosted instance that is paused where the server cannot do it."""

# By number: the SDK's enumeration has no paused workflow.
STATUSES = {
    1: WorkflowStatus.RUNNING,
    2: WorkflowStatus.COMPLETED,
    3: WorkflowStatus.FAILED,
    4: WorkflowStatus.CANCELED,
    5: WorkflowStatus.TERMINATED,
    6: WorkflowStatus.CONTINUED_AS_NEW,
    7: WorkflowStatus.FAILED,  # timed out
    8: WorkflowStatus.SUSPENDED,  # paused
}
CLOSE_EVENTS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)
# Workflow tasks that end like this are asked for again because of events, not of bad code.
_HARMLESS = frozenset(
    {
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
    }
)

# The second is what the server writes where nobody has given one.
_NO_REASONS = frozenset({"", "terminated by user via frontend"})

_stalled_decoder = msgspec.json.Decoder(FailureDetails)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read of a run. `latest` are its latest events, newest first."""

    description: DescribeWorkflowExecutionResponse
    first: HistoryEvent | None = None
    latest: tuple[HistoryEvent, ...] = ()

    @property
    def info(self) -> WorkflowExecutionInfo:
        """What Temporal says of the run as a whole."""
        return self.description.workflow_execution_info

    @property
    def run_id(self) -> str:
        """The run that was read."""
        return self.info.execution.run_id

    @property
    def status(self) -> WorkflowStatus:
        """The status as far as Temporal has one for it."""
        return STATUSES.get(self.info.status, WorkflowStatus.RUNNING)

    @property
    def is_of_one_run(self) -> bool:
        """False where the first event may be of another run than the description."""
        if self.first is None:
            return True
        # A reset run has the first event of the run that it was made of.
        started = self.first.workflow_execution_started_event_attributes
        return started.original_execution_run_id == self.run_id

    @property
    def is_of_one_moment(self) -> bool:
        """False where the run closed between the description and the events, or the reverse."""
        if self.first is None:
            return True
        if not self.latest:
            return False
        last = self.latest[0]
        if not self.info.HasField("close_time"):
            return last.event_type not in CLOSE_EVENTS
        return last.event_type in CLOSE_EVENTS and last.event_id == self.info.history_length

    @property
    def is_tried_again(self) -> bool:
        """True if the last workflow task has failed or timed out."""
        return self.description.pending_workflow_task.attempt > 1

    def state(self, now: datetime) -> WorkflowState:
        """Put it together; without the first event there are no payloads."""
        info = self.info
        status, failure, detail = self._progress(now)
        output = None
        if self.first is not None and status.is_closed:
            output, failure = _outcome_of(self.latest[0], self._text)
        return WorkflowState(
            instance_id=info.execution.workflow_id,
            workflow=info.type.name,
            status=status,
            created_at=_created_at(info),
            last_updated_at=self._updated_at(),
            input=self._input(self.first) if self.first is not None else None,
            output=output,
            custom_status=_memo_text(info, CUSTOM_STATUS),
            failure=failure if self.first is not None else None,
            parent_instance_id=info.parent_execution.workflow_id or None,
            detail=detail,
        )

    def _progress(self, now: datetime) -> tuple[WorkflowStatus, FailureDetails | None, str | None]:
        """Return the status, why it is STALLED, and what there is to say about it."""
        status = self.status
        if status is not WorkflowStatus.RUNNING:
            reason = self.description.workflow_extended_info.pause_info.reason
            return status, None, reason or self._reason_of_end
        if self.is_delayed(now):
            begins = f"it begins at {time_of(self.info.execution_time).isoformat()}"
            words = words_of_run(self.first)
            detail = f"{begins} ({words})" if words is not None else begins
            return WorkflowStatus.PENDING, failure_before(self.first), detail
        task = self.description.pending_workflow_task
        if self.is_paused_by_host:
            return WorkflowStatus.SUSPENDED, None, None
        if STALLED in self.info.memo.fields:
            unfit = _stalled_decoder.decode(self.info.memo.fields[STALLED].data)
            return WorkflowStatus.STALLED, unfit, unfit.message
        if self.is_tried_again and (failed := failed_task(self.latest)) is not None:
            return WorkflowStatus.STALLED, failed, failed.message
        if not self._has_begun:
            status = WorkflowStatus.PENDING
        if task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
            waits = f"no worker of task queue '{self.info.task_queue}' has taken its next turn yet"
            return status, None, waits
        retried = words_of_activities(self.description.pending_activities, now)
        return status, None, retried or words_of_run(self.first)

    def status_at(self, now: datetime) -> WorkflowStatus:
        """Return the status that callers see."""
        return self._progress(now)[0]

    def is_delayed(self, now: datetime) -> bool:
        """True if the time at which the instance begins is still to come."""
        if self.info.execution_time == self.info.start_time:
            return False
        begins = time_of(self.info.execution_time)
        return begins > now and begins > time_of(self.info.start_time)

    @property
    def _reason_of_end(self) -> str | None:
        """What the one who has terminated the run gave as the reason."""
        if not self.latest:
            return None
        terminated = self.latest[0].workflow_execution_terminated_event_attributes
        return terminated.reason if terminated.reason not in _NO_REASONS else None

    @property
    def _has_begun(self) -> bool:
        """False for a hosted instance that has taken no turn, which the server calls running.

        The worker that completes the first workflow task leaves its stamp.
        """
        is_first_run = self.info.first_run_id == self.run_id
        has_stamp = self.info.HasField("most_recent_worker_version_stamp")
        return has_stamp or not is_first_run or not self.is_hosted

    @property
    def is_paused_by_host(self) -> bool:
        """True if the host itself takes no turn, and not the server that hands out none."""
        return PAUSED in self.info.memo.fields

    @property
    def is_hosted(self) -> bool:
        """True if Flowyard runs the instance, False if somebody else's worker does."""
        return HOSTED in self.info.memo.fields

    @property
    def _text(self) -> Callable[[Sequence[Payload]], str | None]:
        # Of the arguments of a hosted one, all but the first are ours.
        return hosted_text_of if self.is_hosted else text_of_all

    def _input(self, first: HistoryEvent) -> str | None:
        return self._text(first.workflow_execution_started_event_attributes.input.payloads)

    def _updated_at(self) -> datetime:
        if self.info.HasField("close_time"):
            return time_of(self.info.close_time)
        if self.latest:
            return time_of(self.latest[0].event_time)
        # A description does not tell; these are times at which something happened for certain.
        task = self.description.pending_workflow_task
        known = [self.info.start_time, task.scheduled_time, task.started_time]
        return max(time_of(time) for time in known)


def failed_task(latest: Iterable[HistoryEvent]) -> FailureDetails | None:
    """Return how the last workflow task failed: its code raised, or does not fit the history."""
    for event in latest:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failed = event.workflow_task_failed_event_attributes
            return None if failed.cause in _HARMLESS else details_of(failed.failure)
        if event.HasField("workflow_task_completed_event_attributes") or event.HasField(
            "workflow_task_timed_out_event_attributes"
        ):
            return None
    return None


def _memo_text(info: WorkflowExecutionInfo, key: str) -> str | None:
    # Looking an absent key up would add it.
    return text_of(info.memo.fields[key]) if key in info.memo.fields else None


def _created_at(info: WorkflowExecutionInfo) -> datetime:
    carried = _memo_text(info, CREATED_AT)
    if carried is not None and carried.isdecimal():
        return to_datetime(int(carried))
    return time_of(info.start_time)


def _outcome_of(
    closing: HistoryEvent, text: Callable[[Sequence[Payload]], str | None]
) -> tuple[str | None, FailureDetails | None]:
    """Return the output and the failure that a run has ended with."""
    if closing.HasField("workflow_execution_completed_event_attributes"):
        completed = closing.workflow_execution_completed_event_attributes
        return text(completed.result.payloads), None
    if closing.HasField("workflow_execution_failed_event_attributes"):
        return None, details_of(closing.workflow_execution_failed_event_attributes.failure)
    if closing.HasField("workflow_execution_terminated_event_attributes"):
        terminated = closing.workflow_execution_terminated_event_attributes
        return text(terminated.details.payloads), None
    if closing.HasField("workflow_execution_canceled_event_attributes"):
        canceled = closing.workflow_execution_canceled_event_attributes
        return text(canceled.details.payloads), None
    return None, TIMED_OUT
