"""Lists instances: Temporal's visibility finds them, a description of each tells how it is."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

from flowyard.errors import InstanceNotFound, InvalidRequest
from flowyard.models import InstancePage, InstanceQuery, WorkflowState, WorkflowStatus
from flowyard_temporal.connection import Connection
from flowyard_temporal.instances import Instances

# How many descriptions are asked for at once.
_AT_ONCE = 32
# What visibility calls it. It knows nothing of PENDING and STALLED: to it, both are running.
_NAMES = {
    WorkflowStatus.RUNNING: ("Running",),
    WorkflowStatus.PENDING: ("Running",),
    WorkflowStatus.STALLED: ("Running",),
    WorkflowStatus.SUSPENDED: ("Paused",),
    WorkflowStatus.COMPLETED: ("Completed",),
    WorkflowStatus.FAILED: ("Failed", "TimedOut"),
    WorkflowStatus.CANCELED: ("Canceled",),
    WorkflowStatus.TERMINATED: ("Terminated",),
    WorkflowStatus.CONTINUED_AS_NEW: (),
}


class Queries:
    """Answers queries from what visibility has, which may lag a moment behind."""

    def __init__(self, connection: Connection, instances: Instances) -> None:
        self._connection = connection
        self._instances = instances
        self._turnstile = asyncio.Semaphore(_AT_ONCE)

    async def page(self, query: InstanceQuery) -> InstancePage:
        """Return the next page that has anything on it, or the last one."""
        condition = _condition(query)
        if condition is None:
            return InstancePage(())
        token = _decoded(query.continuation_token)
        while True:
            found, token = await self._find(condition, query.page_size, token)
            states = [state for state in await self._states(found) if _fits(state, query)]
            if states or not token:
                states.sort(key=lambda state: state.created_at, reverse=True)
                return InstancePage(tuple(states), _encoded(token))

    async def runs_of(self, instance_id: str) -> list[str]:
        """Return the IDs of the runs that visibility has of an instance."""
        runs: list[str] = []
        token = b""
        while True:
            found, token = await self._find(f"WorkflowId = {_quoted(instance_id)}", 1000, token)
            runs += [one.run_id for one in found]
            if not token:
                return runs

    async def _find(
        self, condition: str, count: int, token: bytes
    ) -> tuple[Sequence[WorkflowExecution], bytes]:
        connection = self._connection
        request = ListWorkflowExecutionsRequest(
            namespace=connection.namespace,
            query=condition,
            page_size=count,
            next_page_token=token,
        )
        answer = await connection.call(connection.service.list_workflow_executions, request)
        return [one.execution for one in answer.executions], answer.next_page_token

    async def _states(self, found: Sequence[WorkflowExecution]) -> list[WorkflowState]:
        states = await asyncio.gather(*(self._state(one) for one in found))
        return [state for state in states if state is not None]

    async def _state(self, found: WorkflowExecution) -> WorkflowState | None:
        """Return the state of an instance, None where the run is one that was replaced."""
        async with self._turnstile:
            try:
                snapshot = await self._instances.snapshot(found.workflow_id, payloads=False)
            except InstanceNotFound:
                return None
        if snapshot.run_id != found.run_id:
            return None
        return snapshot.state(datetime.now(UTC))


def _condition(query: InstanceQuery) -> str | None:
    """Return the query in visibility's language, None if nothing can fit it."""
    conditions = ["ExecutionStatus != 'ContinuedAsNew'"]
    if query.status:
        names = sorted({name for status in query.status for name in _NAMES[status]})
        if not names:
            return None
        conditions = [f"ExecutionStatus IN ({', '.join(map(_quoted, names))})"]
    if query.workflow is not None:
        conditions.append(f"WorkflowType = {_quoted(query.workflow)}")
    if query.instance_id_prefix:
        conditions.append(f"WorkflowId STARTS_WITH {_quoted(query.instance_id_prefix)}")
    if query.created_from is not None:
        conditions.append(f"StartTime >= {_stamp(query.created_from)}")
    if query.created_to is not None:
        conditions.append(f"StartTime <= {_stamp(query.created_to)}")
    return " AND ".join(conditions)


def _fits(state: WorkflowState, query: InstanceQuery) -> bool:
    """Look again: visibility is coarser than the query, and may be late."""
    return (
        (not query.status or state.status in query.status)
        and (query.created_from is None or state.created_at >= _aware(query.created_from))
        and (query.created_to is None or state.created_at <= _aware(query.created_to))
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _stamp(time: datetime) -> str:
    return f"'{_aware(time).isoformat()}'"


def _encoded(token: bytes) -> str | None:
    return base64.urlsafe_b64encode(token).decode() if token else None


def _decoded(token: str | None) -> bytes:
    try:
        return base64.b64decode(token or "", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(
            f"the continuation token {token!r} is none that this component gave"
        ) from error
