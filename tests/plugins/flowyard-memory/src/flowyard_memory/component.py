"""Workflows in the memory of the process: nothing is written, everything else is as anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict, PositiveInt
from pydantic.alias_generators import to_camel

from flowyard.backend import (
    BackendUnavailable,
    ComponentContext,
    ConfigurationError,
    EventRaised,
    ExecutionResumed,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    Host,
    HostedInstance,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    ReusePolicy,
    StartRequest,
    WorkflowComponent,
    WorkflowState,
)


class MemorySettings(BaseModel):
    """What `spec.metadata` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    max_instances: PositiveInt = 10_000


class Shelf:
    """Where the instances are: a dictionary."""

    def __init__(self, max_instances: int) -> None:
        self.instances: dict[str, HostedInstance] = {}
        self._max_instances = max_instances

    async def find(self, instance_id: str) -> HostedInstance:
        if instance_id not in self.instances:
            raise InstanceNotFound(instance_id)
        return self.instances[instance_id]

    async def add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
        old = self.instances.get(instance.id)
        if old is not None and not (old.status.is_closed and reuse is ReusePolicy.REPLACE_CLOSED):
            raise InstanceAlreadyExists(instance.id, old.status)
        if old is None and len(self.instances) >= self._max_instances:
            raise BackendUnavailable("maxInstances is reached: purge closed instances")
        self.instances[instance.id] = instance

    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        """Do nothing: memory is where they are already."""


class MemoryComponent(WorkflowComponent):
    """A shelf of instances, and a host that runs them."""

    def __init__(self, name: str, shelf: Shelf, host: Host) -> None:
        super().__init__(name)
        self._shelf = shelf
        self._host = host

    async def start(self, request: StartRequest) -> None:
        await self._host.start(request)

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        return (await self._shelf.find(instance_id)).state(payloads=payloads)

    async def wait(self, instance_id: str) -> WorkflowState:
        instance = await self._shelf.find(instance_id)
        await instance.closed.wait()
        return instance.state()

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await self._deliver(instance_id, EventRaised(name, data))

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await self._deliver(instance_id, ExecutionTerminated(output, recursive))

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self._deliver(instance_id, ExecutionSuspended(reason))

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self._deliver(instance_id, ExecutionResumed(reason))

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await self._host.finish(self._purge(instance_id, recursive=recursive))

    async def _purge(self, instance_id: str, *, recursive: bool) -> int:
        family = [await self._shelf.find(instance_id)]
        for member in family if recursive else ():
            family += [
                other
                for other in self._shelf.instances.values()
                # A family may be a circle.
                if other.parent and other.parent.instance_id == member.id and other not in family
            ]
        for member in family:
            if not member.status.is_closed:
                raise InstanceNotClosed(member.id, member.status)
        for member in family:
            await self._host.settle(member)
        for member in family:
            # Another purge may have been faster, and the ID be in use again.
            if self._shelf.instances.get(member.id) is member:
                del self._shelf.instances[member.id]
        return len(family)

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        return (await self._shelf.find(instance_id)).history

    async def _deliver(self, instance_id: str, event: HistoryEvent) -> bool:
        return await self._host.deliver(await self._shelf.find(instance_id), event)


@asynccontextmanager
async def open_memory(
    settings: MemorySettings, context: ComponentContext
) -> AsyncIterator[WorkflowComponent]:
    """Open the component; its instances end with it."""
    if context.executor is None:
        raise ConfigurationError(f"component '{context.name}' is empty without an app: pass one")
    shelf = Shelf(settings.max_instances)
    async with Host(shelf, context.executor, context.clock) as host:
        yield MemoryComponent(context.name, shelf, host)
