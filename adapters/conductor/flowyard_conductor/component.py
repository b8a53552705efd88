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
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.children import Children
from flowyard_conductor.hosted.definitions import Definitions
from flowyard_conductor.hosted.delivery import Delivery
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.instance_starts import InstanceStarts
from flowyard_conductor.hosted.management import Hosted
from flowyard_conductor.hosted.parents import Parents
from flowyard_conductor.hosted.registrations import Registrations
from flowyard_conductor.hosted.side_workflows import SideWorkflows
from flowyard_conductor.hosted.turns import Turns
from flowyard_conductor.hosted.wakeups import Wakeups
from flowyard_conductor.instances import Found, Instances
from flowyard_conductor.listing import Queries
from flowyard_conductor.native.management import VERSION, Natives
from flowyard_conductor.purging import Purging
from flowyard_conductor.removal import Removal
from flowyard_conductor.settings import ConductorSettings
from flowyard_conductor.starting import Starts
from flowyard_conductor.worker.worker import Worker

_SHORTEST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 1.0


class ConductorComponent(WorkflowComponent):
    """One Conductor server: native workflows, and those of the app that it hosts."""

    def __init__(self, connection: Connection, context: ComponentContext) -> None:
        super().__init__(connection.name)
        settings, executor = connection.settings, context.executor
        self._where, self._task_queue = connection.where, settings.task_queue
        self._executor = executor
        names, tasks = Names(settings.task_queue), Tasks(connection)
        id_locks = IdLocks(connection, names)
        self._instances = instances = Instances(connection, names)
        self._natives = natives = Natives(instances, id_locks)
        self._registrations = Registrations(connection, names)

        definitions = Definitions(names, settings.lease_seconds)
        inbox = Inbox(connection, names, definitions)
        side_workflows = SideWorkflows(connection, names, definitions)
        cache = InstanceCache(connection, executor)
        wakeups = Wakeups(tasks, names, cache)
        delivery = Delivery(instances, natives, inbox, wakeups)
        parents = Parents(instances, delivery)
        removal = Removal(instances, parents, inbox, side_workflows)
        self._starts = Starts(instances, id_locks, removal.remove)
        turns = None
        if executor is not None:
            turns = Turns(executor, context.clock, inbox, side_workflows)
        instance_starts = InstanceStarts(instances, tasks, definitions, cache, turns)
        children = Children(instances, inbox, self._starts, instance_starts, delivery)
        self._hosted = Hosted(
            instances,
            id_locks,
            natives,
            inbox,
            cache,
            wakeups,
            delivery,
            children,
            instance_starts,
            executor,
            context.clock,
        )
        self._worker: Worker | None = None
        if executor is not None and turns is not None:
            self._worker = Worker(
                instances,
                tasks,
                cache,
                wakeups,
                inbox,
                side_workflows,
                turns,
                delivery,
                parents,
                children,
                executor,
                context.clock,
                context.logger,
            )
        self._purging = Purging(instances, self._hosted, natives, removal)
        self._queries = Queries(instances, self._state)

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: ConductorSettings, context: ComponentContext
    ) -> AsyncIterator[ConductorComponent]:
        """Connect to the server; run the app's workflows there if there is an app."""
        async with Connection.open(context.name, settings) as connection:
            component = ConductorComponent(connection, context)
            async with component._running():
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
        if self._worker is not None:
            await self._worker.drain()

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        """Run the app's workflows until the block is left, if there is an app."""
        if self._worker is None or self._executor is None:
            yield
            return
        await self._registrations.register(self._executor)
        async with self._worker.running():
            yield

    def _keeper(self, found: Found) -> Hosted | Natives:
        return self._natives if found.workflow is None else self._hosted

    async def _state(self, found: Found, *, payloads: bool = False) -> WorkflowState:
        return await self._keeper(found).state(found, payloads=payloads)

    async def _is_hosted(self, request: StartRequest) -> bool:
        """Whether a workflow is the app's; one that it has goes before a definition."""
        if VERSION in request.options:
            return False
        if self._executor is None:
            if await self._natives.has(request.workflow):
                return False
            if not await self._registrations.has(request.workflow):
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
