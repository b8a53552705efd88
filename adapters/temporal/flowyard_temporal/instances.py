"""The instances of a namespace: how they are read, and how they are changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.service import RPCStatusCode

from flowyard.backend import BackendUnavailable, InstanceNotFound, WorkflowState, WorkflowStatus
from flowyard_temporal.connection import Connection, Method, Q, R
from flowyard_temporal.errors import Rejected
from flowyard_temporal.native.states import STATUSES, Snapshot

# How often something is tried again that changes between one call and the next.
_ATTEMPTS = 10
# How far back the end of a failing workflow task is looked for.
_RECENT = 50
# A little longer than the server holds a request for news back.
_LONG_POLL_SECONDS = 70.0

_ALL_EVENTS = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT
_CLOSE_EVENT = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT


class Instances:
    """Reads and changes instances. An unknown one raises `InstanceNotFound`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def state(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        """Return the state as it is now."""
        snapshot = await self.snapshot(instance_id, payloads=payloads)
        return snapshot.state(datetime.now(UTC))

    async def snapshot(self, instance_id: str, *, payloads: bool = True) -> Snapshot:
        """Read the current run in one round trip, however long its history is."""
        for _ in range(_ATTEMPTS):
            snapshot = await self._look(instance_id, payloads=payloads)
            if not snapshot.is_of_one_run or not snapshot.is_of_one_moment:
                snapshot = await self._look_closer(snapshot)
            if not snapshot.is_of_one_moment:
                continue
            if snapshot.is_tried_again:
                latest = await self._latest(instance_id, _RECENT, snapshot.run_id)
                snapshot = Snapshot(snapshot.description, snapshot.first, latest)
            return snapshot
        raise BackendUnavailable(
            f"{self._connection.where}: instance '{instance_id}' changes faster than it can be "
            "read. Try again, or read it without payloads."
        )

    async def describe(
        self, instance_id: str, run_id: str = ""
    ) -> DescribeWorkflowExecutionResponse:
        """Return what Temporal says of the current run, or of the one that is named."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self._connection.namespace,
            execution=self._connection.execution(instance_id, run_id),
        )
        service = self._connection.service
        return await self.read(instance_id, service.describe_workflow_execution, request)

    async def wait(self, instance_id: str) -> WorkflowState:
        """Return the state once the instance is closed."""
        while True:
            end = await self._end(instance_id)
            description, first = await asyncio.gather(
                self.describe(instance_id), self.first(instance_id)
            )
            snapshot = Snapshot(description, first, (end,))
            # By the time, the run that has ended is known to be the one that was described.
            if snapshot.info.close_time != end.event_time or not snapshot.is_of_one_run:
                snapshot = await self.snapshot(instance_id)
            if snapshot.status.is_closed:
                return snapshot.state(datetime.now(UTC))

    async def events(
        self, instance_id: str, run_id: str = "", *, only_the_end: bool = False
    ) -> AsyncIterator[HistoryEvent]:
        """Return the events of a run, or only the one that closed it, if it is closed."""
        request = GetWorkflowExecutionHistoryRequest(
            namespace=self._connection.namespace,
            execution=self._connection.execution(instance_id, run_id),
            history_event_filter_type=_CLOSE_EVENT if only_the_end else _ALL_EVENTS,
        )
        service = self._connection.service
        while True:
            page = await self.read(instance_id, service.get_workflow_execution_history, request)
            for event in page.history.events:
                yield event
            if not page.next_page_token:
                return
            request.next_page_token = page.next_page_token

    async def read(self, instance_id: str, method: Method[Q, R], request: Q) -> R:
        """Ask for something that is there as long as the instance is."""
        with _of(instance_id):
            return await self._connection.call(method, request)

    async def change(self, instance_id: str, method: Method[Q, R], request: Q) -> bool:
        """Ask for a change; False if the instance is closed and nothing was done.

        Temporal says of a closed instance too that it is not found.
        """
        for _ in range(_ATTEMPTS):
            try:
                await self._connection.call(method, request)
                return True
            except Rejected as refusal:
                if refusal.status is not RPCStatusCode.NOT_FOUND:
                    raise
            description = await self.describe(instance_id)
            if STATUSES[description.workflow_execution_info.status].is_closed:
                return False
        raise BackendUnavailable(
            f"{self._connection.where}: instance '{instance_id}' is being replaced repeatedly. "
            "Try again."
        )

    async def _look(self, instance_id: str, *, payloads: bool) -> Snapshot:
        if not payloads:
            bare = Snapshot(await self.describe(instance_id))
            if bare.status is not WorkflowStatus.TERMINATED:
                return bare
            # Only its last event says why.
            latest = await self._latest(instance_id, 1, bare.run_id)
            return Snapshot(bare.description, latest=latest)
        description, first, latest = await asyncio.gather(
            self.describe(instance_id), self.first(instance_id), self._latest(instance_id, 1)
        )
        return Snapshot(description, first, latest)

    async def _look_closer(self, snapshot: Snapshot) -> Snapshot:
        """Read the ends of the history of the run that was described."""
        instance_id, run_id = snapshot.info.execution.workflow_id, snapshot.run_id
        first, latest = await asyncio.gather(
            self.first(instance_id, run_id), self._latest(instance_id, 1, run_id)
        )
        return Snapshot(snapshot.description, first, latest)

    async def first(self, instance_id: str, run_id: str = "") -> HistoryEvent:
        """Return the event by which the current run began, or the one that is named."""
        request = GetWorkflowExecutionHistoryRequest(
            namespace=self._connection.namespace,
            execution=self._connection.execution(instance_id, run_id),
            maximum_page_size=1,
        )
        service = self._connection.service
        page = await self.read(instance_id, service.get_workflow_execution_history, request)
        return page.history.events[0]

    async def _latest(
        self, instance_id: str, count: int, run_id: str = ""
    ) -> tuple[HistoryEvent, ...]:
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self._connection.namespace,
            execution=self._connection.execution(instance_id, run_id),
            maximum_page_size=count,
        )
        service = self._connection.service
        method = service.get_workflow_execution_history_reverse
        page = await self.read(instance_id, method, request)
        if not page.history.events:
            # All it has looked at is what a server has left that died before it was valid.
            request.maximum_page_size = _RECENT
            page = await self.read(instance_id, method, request)
        return tuple(page.history.events)

    async def _end(self, instance_id: str) -> HistoryEvent:
        """Return what closes the run that is the current one now, once it is closed."""
        request = GetWorkflowExecutionHistoryRequest(
            namespace=self._connection.namespace,
            execution=self._connection.execution(instance_id),
            wait_new_event=True,
            history_event_filter_type=_CLOSE_EVENT,
        )
        service = self._connection.service
        while True:
            with _of(instance_id):
                page = await self._connection.wait(
                    service.get_workflow_execution_history, request, _LONG_POLL_SECONDS
                )
            if page.history.events:
                return page.history.events[-1]
            request.next_page_token = page.next_page_token


@contextmanager
def _of(instance_id: str) -> Iterator[None]:
    """Say of which instance a call has found nothing."""
    try:
        yield
    except Rejected as refusal:
        if refusal.status is RPCStatusCode.NOT_FOUND:
            raise InstanceNotFound(instance_id) from refusal
        raise
