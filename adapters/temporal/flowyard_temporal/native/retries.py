"""What Temporal itself tries again, in words for people: runs of workflows, and activities."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from temporalio.api.enums.v1 import ContinueAsNewInitiator
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo

from flowyard.backend import FailureDetails
from flowyard_temporal.native.failures import details_of
from flowyard_temporal.times import time_of

_CRON = ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE


def failure_before(first: HistoryEvent | None) -> FailureDetails | None:
    """Return how the run has failed that this one repeats, by a retry policy or a schedule."""
    if first is None:
        return None
    started = first.workflow_execution_started_event_attributes
    return details_of(started.continued_failure) if started.HasField("continued_failure") else None


def words_of_run(first: HistoryEvent | None) -> str | None:
    """Say that a run is not the first attempt, and how the one before has failed."""
    failure = failure_before(first)
    if first is None or failure is None:
        return None
    started = first.workflow_execution_started_event_attributes
    what = "a run by its schedule" if started.initiator == _CRON else f"attempt {started.attempt}"
    return f"{what}; the one before failed: {_told(failure)}"


def words_of_activities(pending: Sequence[PendingActivityInfo], now: datetime) -> str | None:
    """Say which activity is tried again, and why; None if none is."""
    retried = [activity for activity in pending if activity.attempt > 1]
    if not retried:
        return None
    activity = max(retried, key=lambda activity: activity.attempt)
    words = f"activity '{activity.activity_type.name}' is in attempt {activity.attempt}"
    if activity.HasField("next_attempt_schedule_time"):
        begins = time_of(activity.next_attempt_schedule_time)
        if begins > now:
            words += f", which begins at {begins.isoformat()}"
    if activity.HasField("last_failure"):
        words += f"; the one before failed: {_told(details_of(activity.last_failure))}"
    others = len(retried) - 1
    return f"{words} ({others} more are tried again)" if others else words


def _told(failure: FailureDetails) -> str:
    return f"{failure.error_type}: {failure.message}"
