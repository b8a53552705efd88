"""Conductor as a component: what is asked for goes to whatever knows how to do it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from flowyard.component import ComponentContext, WorkflowComponent
from flowyard.history import HistoryEvent
from flowyard.models import InstancePage, InstanceQuery, StartRequest, WorkflowState
from flowyard_conductor.claims import Claims
from flowyard_conductor.connection import Connection
from flowyard_conductor.instances import Found, Instances
from flowyard_conductor.names import Names
from flowyard_conductor.natives import Natives
from flowyard_conductor.purging import Purging
from flowyard_conductor.queries import Queries
from flowyard_conductor.settings import ConductorSettings
from flowyard_conductor.starting import Starts


class ConductorComponent(WorkflowComponent):
    """One Conductor server."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.name)
        names = Names(connection.settings.task_queue)
        claims = Claims(connection, names)
        self._instances = Instances(connection, names)
        self._natives = Natives(self._instances, claims)
        self._starts = Starts(self._instances, claims)
        self._purging = Purging(self._instances, self._natives.children, _nothing)
        self._queries = Queries(self._instances, self._state)

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: ConductorSettings, context: ComponentContext
    ) -> AsyncIterator[ConductorComponent]:
        """Connect to the server."""
        async with Connection.open(context.name, settings) as connection:
            yield ConductorComponent(connection)

    async def start(self, request: StartRequest) -> None:
        await self._starts.start(request, self._natives.start)

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        return await self._natives.state(await self._instances.find(instance_id), payloads=payloads)

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await self._natives.raise_event(await self._instances.find(instance_id), name, data)

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        found = await self._instances.find(instance_id)
        return await self._natives.terminate(found, output=output, recursive=recursive)

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self._natives.pause(await self._instances.find(instance_id))

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self._natives.resume(await self._instances.find(instance_id))

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await self._purging.purge(instance_id, recursive=recursive)

    async def list(self, query: InstanceQuery) -> InstancePage:
        return await self._queries.page(query)

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        return await self._natives.history(await self._instances.find(instance_id))

    async def _state(self, found: Found) -> WorkflowState:
        return await self._natives.state(found, payloads=False)


async def _nothing(found: Found) -> Sequence[Found]:
    return ()
