"""Conductor as a component: what is asked for goes to whatever knows how to do it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from flowyard.backend import (
    Backoff,
    ChangingExecutor,
    ComponentContext,
    HistoryEvent,
    InstancePage,
    InstanceQuery,
    StartRequest,
    WorkflowComponent,
    WorkflowNotRegistered,
    WorkflowState,
)
from flowyard_conductor.api.connection import Connection
from flowyard_conductor.api.errors import WorkflowUnknown
from flowyard_conductor.api.id_locks import IdLocks
from flowyard_conductor.api.names import Names
from flowyard_conductor.hosted.management import Hosted
from flowyard_conductor.instances import Found, Instances
from flowyard_conductor.listing import Queries
from flowyard_conductor.native.management import VERSION, Natives
from flowyard_conductor.purging import Purging
from flowyard_conductor.settings import ConductorSettings
from flowyard_conductor.starting import Starts

_SHORTEST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 1.0


class ConductorComponent(WorkflowComponent):
    """One Conductor server: native workflows, and those of the app that it hosts."""

    def __init__(self, connection: Connection, context: ComponentContext) -> None:
        super().__init__(connection.name)
        self._where, self._task_queue = connection.where, connection.settings.task_queue
        names = Names(self._task_queue)
        id_locks = IdLocks(connection, names)
        self._executor = context.executor
        self._instances = Instances(connection, names)
        self._natives = Natives(self._instances, id_locks)
        self._purging = Purging(
            self._instances, self._children, self._belongings, self._tell_parent
        )
        self._starts = Starts(self._instances, id_locks, self._purging.remove)
        self._hosted = Hosted(self._instances, id_locks, self._starts, self._natives, context)
        self._queries = Queries(self._instances, self._state)

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: ConductorSettings, context: ComponentContext
    ) -> AsyncIterator[ConductorComponent]:
        """Connect to the server; run the app's workflows there if there is an app."""
        async with Connection.open(context.name, settings) as connection:
            component = ConductorComponent(connection, context)
            async with component._hosted.running():
                yield component

    async def start(self, request: StartRequest) -> None:
        is_hosted = await self._is_hosted(request)
        await self._starts.start(request, (self._hosted if is_hosted else self._natives).start)

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        return await self._state(await self._instances.find(instance_id), payloads=payloads)

    async def wait(self, instance_id: str) -> WorkflowState:
        backoff = Backoff(_SHORTEST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS)
        while (state := await self._hosted.wait(instance_id)) is None:
            found = await self._instances.find(instance_id)
            if not found.is_active:
                return await self._state(found, payloads=True)
            await backoff.sleep()
        return state

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        found = await self._instances.find(instance_id)
        return await self._keeper(found).raise_event(found, name, data)

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        found = await self._instances.find(instance_id)
        return await self._keeper(found).terminate(found, output=output, recursive=recursive)

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        found = await self._instances.find(instance_id)
        return await self._keeper(found).pause(found, reason)

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        found = await self._instances.find(instance_id)
        return await self._keeper(found).resume(found, reason)

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await self._purging.purge(instance_id, recursive=recursive)

    async def list(self, query: InstanceQuery) -> InstancePage:
        return await self._queries.page(query)

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        found = await self._instances.find(instance_id)
        return await self._keeper(found).history(found)

    async def drain(self) -> None:
        await self._hosted.drain()

    def _keeper(self, found: Found) -> Hosted | Natives:
        return self._natives if found.workflow is None else self._hosted

    async def _state(self, found: Found, *, payloads: bool = False) -> WorkflowState:
        return await self._keeper(found).state(found, payloads=payloads)

    async def _children(self, found: Found) -> Sequence[Found]:
        return await self._keeper(found).children(found)

    async def _tell_parent(self, found: Found) -> None:
        await self._hosted.tell_parent(found)

    async def _belongings(self, found: Found) -> Sequence[Found]:
        return () if found.workflow is None else await self._hosted.belongings(found)

    async def _is_hosted(self, request: StartRequest) -> bool:
        """Whether a workflow is the app's; one that it has goes before a definition."""
        if VERSION in request.options:
            return False
        if self._executor is None:
            if await self._natives.has(request.workflow):
                return False
            if not await self._hosted.is_run_by_others(request.workflow):
                raise WorkflowUnknown(self._where, self._task_queue, request.workflow)
            return True
        try:
            self._executor.check_workflow(request.workflow)
        except WorkflowNotRegistered:
            if await self._natives.has(request.workflow):
                return False
            raise
        if isinstance(self._executor, ChangingExecutor):
            # Workers may know anything, so what is defined on the server is meant.
            return not await self._natives.has(request.workflow)
        return True
