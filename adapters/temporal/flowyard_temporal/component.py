"""Temporal as a component: what is asked for goes to whatever knows how to do it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from temporalio.api.common.v1 import Payloads
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest

from flowyard.backend import (
    ComponentContext,
    HistoryEvent,
    InstancePage,
    InstanceQuery,
    InvalidRequest,
    StartRequest,
    WorkflowComponent,
    WorkflowState,
    WorkflowStatus,
    new_uuid,
    obstacle,
)
from flowyard_temporal.connection import Connection
from flowyard_temporal.hosted.hosted_history import hosted_history
from flowyard_temporal.hosted.hosted_input import runs_inline
from flowyard_temporal.hosted.worker import Hosting, host
from flowyard_temporal.hosted.worker_context import WAITS, WAKE
from flowyard_temporal.instances import Instances
from flowyard_temporal.native.history import translated
from flowyard_temporal.native.states import Snapshot
from flowyard_temporal.operations.pausing import Pausing
from flowyard_temporal.operations.purging import Purging
from flowyard_temporal.operations.run_tree import Families
from flowyard_temporal.operations.starting import SPREAD_INPUT, TASK_QUEUE, Starts
from flowyard_temporal.operations.terminating import Terminating
from flowyard_temporal.payloads import payloads_of, spread_payloads_of
from flowyard_temporal.settings import TemporalSettings
from flowyard_temporal.visibility.listing import Queries
from flowyard_temporal.visibility.read_your_writes import RecentChanges
from flowyard_temporal.visibility.search import Visibility


class TemporalComponent(WorkflowComponent):
    """One namespace of a Temporal cluster."""

    def __init__(self, connection: Connection, hosting: Hosting | None = None) -> None:
        super().__init__(connection.name)
        self._connection = connection
        self._hosting = hosting
        self._environment = hosting.environment if hosting is not None else None
        self._instances = Instances(connection)
        self._starts = Starts(connection, self._instances)
        self._pausing = Pausing(connection, self._instances)
        visibility = Visibility(connection)
        self._terminating = Terminating(connection, self._instances, visibility)
        self._recent = RecentChanges(self._instances, visibility)
        self._queries = Queries(self._instances, visibility, self._recent)
        families = Families(self._instances, visibility)
        self._purging = Purging(connection, self._instances, families)

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: TemporalSettings, context: ComponentContext
    ) -> AsyncIterator[TemporalComponent]:
        """Connect to the cluster; work for it if there is an app to run."""
        async with Connection.open(context.name, settings) as connection:
            if context.executor is None:
                yield TemporalComponent(connection)
                return
            async with host(connection, context, context.executor) as hosting:
                yield TemporalComponent(connection, hosting)

    async def start(self, request: StartRequest) -> None:
        if self._environment is None or TASK_QUEUE in request.options:
            await self._starts.start(request)
        elif SPREAD_INPUT in request.options:
            raise InvalidRequest(
                f"the option '{SPREAD_INPUT}' is for workflows of others: those of the app take "
                f"one input. Leave it out, or name the task queue ('{TASK_QUEUE}')."
            )
        else:
            beginning = self._environment.beginning(request)
            await self._starts.start(
                request,
                arguments=Payloads(
                    payloads=[argument.payload for argument in beginning.arguments()]
                ),
                memo={key: value.payload for key, value in beginning.memo().items()},
            )
        self._recent.note(request.instance_id)

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        snapshot = await self._instances.snapshot(instance_id, payloads=payloads)
        state = snapshot.state(datetime.now(UTC))
        if self._environment is None or not snapshot.is_hosted:
            return state
        is_ours = runs_inline(self._environment.executor, state.workflow)
        if is_ours and state.status is WorkflowStatus.STALLED:
            misfit = self._environment.misfit(instance_id, await self.history(instance_id))
            if misfit is not None:
                failure = misfit if state.failure is not None else None
                state = replace(state, failure=failure, detail=misfit.message)
        if state.status.is_closed:
            self._environment.settled(instance_id)
        elif self._environment.is_waiting(instance_id):
            state = replace(state, detail=state.detail or WAITS)
        elif state.detail is None:
            state = replace(state, detail=obstacle(self._environment.executor, instance_id))
        return state

    async def wait(self, instance_id: str) -> WorkflowState:
        state = await self._instances.wait(instance_id)
        self._recent.note(instance_id)
        return state

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        if name == WAKE:
            raise InvalidRequest(
                f"'{WAKE}' is a reserved event name, because it wakes hosted instances. Choose "
                "another"
            )
        request = SignalWorkflowExecutionRequest(
            namespace=self._connection.namespace,
            workflow_execution=self._connection.execution(instance_id),
            signal_name=name,
            input=await self._arguments(instance_id, name, data),
            identity=self._connection.identity,
            request_id=str(new_uuid()),
        )
        service = self._connection.service
        return await self._instances.change(instance_id, service.signal_workflow_execution, request)

    async def _arguments(self, instance_id: str, signal: str, data: str | None) -> Payloads | None:
        if signal in (self._connection.settings.spread_signals or ()):
            spread = spread_payloads_of(data)
            description = await self._instances.describe(instance_id)
            if spread is not None and not Snapshot(description).is_hosted:
                return spread
        return payloads_of(data)

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        self._recent.note(instance_id)
        activities = self._hosting.activities if self._hosting is not None else None
        running = activities.executions(instance_id) if activities is not None else ()
        changed = await self._terminating.terminate(instance_id, output, recursive=recursive)
        if changed and activities is not None:
            activities.closed(instance_id, running)
        return changed

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        self._recent.note(instance_id)
        return await self._pausing.pause(instance_id, reason)

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        self._recent.note(instance_id)
        return await self._pausing.resume(instance_id, reason)

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await self._purging.purge(instance_id, recursive=recursive)

    async def list(self, query: InstanceQuery) -> InstancePage:
        return await self._queries.page(query)

    async def drain(self) -> None:
        if self._hosting is not None:
            await self._hosting.drain()

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        description = await self._instances.describe(instance_id)
        recorded = [event async for event in self._instances.events(instance_id)]
        is_hosted = Snapshot(description).is_hosted
        return hosted_history(recorded) if is_hosted else translated(recorded)
