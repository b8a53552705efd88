"""Lists instances: Temporal's visibility finds them, a description of each tells how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from flowyard.backend import (
    InstanceNotFound,
    InstancePage,
    InstanceQuery,
    WorkflowState,
    WorkflowStatus,
)
from flowyard_temporal.instances import Instances
from flowyard_temporal.native.states import STATUSES, Snapshot
from flowyard_temporal.visibility.cursors import Cursor
from flowyard_temporal.visibility.read_your_writes import RecentChanges
from flowyard_temporal.visibility.search import Visibility, is_quotable, one_of, quoted

# How many descriptions are asked for at once.
_AT_ONCE = 32
_OPEN = {WorkflowStatus.RUNNING, WorkflowStatus.SUSPENDED}
# Longer than visibility lags behind, and two clocks differ.
_REPLACED_LATELY = timedelta(seconds=30)
# What visibility calls it. It knows nothing of PENDING and STALLED: to it, both are running.
_NAMES = {
    WorkflowStatus.RUNNING: ("Running",),
    WorkflowStatus.PENDING: ("Running",),
    WorkflowStatus.STALLED: ("Running",),
    WorkflowStatus.SUSPENDED: ("Paused", "Running"),  # the latter where the host does it
    WorkflowStatus.COMPLETED: ("Completed",),
    WorkflowStatus.FAILED: ("Failed", "TimedOut"),
    WorkflowStatus.CANCELED: ("Canceled",),
    WorkflowStatus.TERMINATED: ("Terminated",),
    WorkflowStatus.CONTINUED_AS_NEW: (),
}


class Queries:
    """Lists what visibility finds, without the runs that were replaced or are gone."""

    def __init__(self, instances: Instances, visibility: Visibility, recent: RecentChanges) -> None:
        self._instances = instances
        self._visibility = visibility
        self._recent = recent
        self._turnstile = asyncio.Semaphore(_AT_ONCE)

    async def page(self, query: InstanceQuery) -> InstancePage:
        """Return the next page that has anything on it, or the last one."""
        condition = _condition(query)
        if condition is None:
            return InstancePage(())
        cursor = Cursor.decoded(query.continuation_token)
        await self._recent.are_shown()
        while True:
            found, token = await self._visibility.page(condition, query.page_size, cursor.token)
            fresh = [run for run in found if not cursor.has_shown(run.execution.workflow_id)]
            snapshots = await self._snapshots(fresh)
            cursor = cursor.moved(token, _open_ids(fresh, snapshots))
            now = datetime.now(UTC)
            states = [state for snapshot in snapshots if _fits(state := snapshot.state(now), query)]
            if states or not token:
                states.sort(key=lambda state: state.created_at, reverse=True)
                return InstancePage(tuple(states), cursor.encoded())

    async def _snapshots(self, found: Sequence[WorkflowExecutionInfo]) -> list[Snapshot]:
        """Return the instances that were found, each once."""
        # Of one that begins again and again, there are many runs that were replaced.
        runs = {
            run.execution.workflow_id if _is_replaced(run) else run.execution.run_id: run
            for run in found
        }
        snapshots = await asyncio.gather(*(self._snapshot(run) for run in runs.values()))
        # By their IDs: two looks at one may have met two of its runs.
        return list(
            {_id_of(snapshot): snapshot for snapshot in snapshots if snapshot is not None}.values()
        )

    async def _snapshot(self, found: WorkflowExecutionInfo) -> Snapshot | None:
        """Return the instance of a run, None where it is found by another run as well."""
        run = found.execution
        async with self._turnstile:
            try:
                snapshot = await self._instances.snapshot(run.workflow_id, payloads=False)
            except InstanceNotFound:
                return None
        if _is_replaced(found):
            return None if snapshot.status.is_closed else snapshot
        if snapshot.run_id != run.run_id and STATUSES[found.status].is_closed:
            return None
        # One that was open may have continued as new, as a run that nobody finds yet.
        return snapshot


def _is_replaced(found: WorkflowExecutionInfo) -> bool:
    return STATUSES[found.status] is WorkflowStatus.CONTINUED_AS_NEW


def _open_ids(found: Iterable[WorkflowExecutionInfo], shown: Iterable[Snapshot]) -> set[str]:
    """Return the instances that a later page shall not have again."""
    return {
        *(run.execution.workflow_id for run in found if STATUSES[run.status] in _OPEN),
        *(_id_of(state) for state in shown if not state.status.is_closed),
    }


def _id_of(snapshot: Snapshot) -> str:
    return snapshot.info.execution.workflow_id


def _condition(query: InstanceQuery) -> str | None:
    """Return the query in visibility's language, None if nothing can fit it."""
    names = {name for status in query.status for name in _NAMES[status]}
    if query.status and not names:
        return None
    is_one = f"IN {one_of(sorted(names))}" if names else "!= 'ContinuedAsNew'"
    status = f"ExecutionStatus {is_one}"
    if not names or "Running" in names:
        # Visibility has the end of a run before the beginning of the one that replaces it.
        since = _stamp(datetime.now(UTC) - _REPLACED_LATELY)
        status = f"({status} OR ExecutionStatus = 'ContinuedAsNew' AND CloseTime > {since})"
    conditions = [status]
    if query.workflow is not None and is_quotable(query.workflow):
        conditions.append(f"WorkflowType = {quoted(query.workflow)}")
    if query.instance_id_prefix and is_quotable(query.instance_id_prefix):
        conditions.append(f"WorkflowId STARTS_WITH {quoted(query.instance_id_prefix)}")
    if query.created_from is not None:
        conditions.append(f"StartTime >= {_stamp(query.created_from)}")
    if query.created_to is not None:
        conditions.append(f"StartTime <= {_stamp(query.created_to)}")
    return " AND ".join(conditions)


def _fits(state: WorkflowState, query: InstanceQuery) -> bool:
    """Look again: visibility is coarser than the query, may be late, and may ignore case."""
    return (
        state.instance_id.startswith(query.instance_id_prefix or "")
        and query.workflow in {None, state.workflow}
        and (not query.status or state.status in query.status)
        and (query.created_from is None or state.created_at >= query.created_from)
        and (query.created_to is None or state.created_at < query.created_to)
    )


def _stamp(time: datetime) -> str:
    return f"'{time.isoformat()}'"
