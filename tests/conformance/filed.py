"""A component on a folder of files: one for each instance, written anew with every change.

The smallest durable plugin over `flowyard.backend.host.Host`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import msgspec
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from flowyard.backend import (
    BacklogEvent,
    Capability,
    ComponentContext,
    ComponentType,
    ConfigurationError,
    EventRaised,
    ExecutionResumed,
    ExecutionStarted,
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


class FolderSettings(BaseModel):
    """What `spec.metadata` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    folder: Path


class Stored(msgspec.Struct):
    """What a file holds."""

    id: str
    started: ExecutionStarted
    created_at: int
    updated_at: int
    custom_status: str | None
    history: list[HistoryEvent]
    backlog: list[BacklogEvent]


class Folder:
    """Implements `InstanceStore`: in memory, and in a file each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.changing = asyncio.Lock()
        """Held where instances come or go."""
        self.instances = {stored.id: self.restored(stored) for stored in self.read()}

    async def find(self, instance_id: str) -> HostedInstance:
        if instance_id not in self.instances:
            raise InstanceNotFound(instance_id)
        return self.instances[instance_id]

    async def add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
        async with self.changing:
            await self._add(instance, reuse)

    async def _add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
        old = self.instances.get(instance.id)
        if old is not None and not (old.status.is_closed and reuse is ReusePolicy.REPLACE_CLOSED):
            raise InstanceAlreadyExists(instance.id, old.status)
        await self.save(instance, ())
        self.instances[instance.id] = instance

    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        await self.keep(self.stored(instance))

    async def remove(self, instance: HostedInstance) -> None:
        await self.erase(instance.id)
        del self.instances[instance.id]

    async def keep(self, stored: Stored) -> None:
        """Have it be there for the next process."""
        self.write(stored)

    async def erase(self, instance_id: str) -> None:
        """Have it not be there for the next process."""
        self._file(instance_id).unlink()

    def stored(self, instance: HostedInstance) -> Stored:
        """Return what is to be kept of an instance."""
        return Stored(
            instance.id,
            instance.started,
            instance.created_at,
            instance.updated_at,
            instance.custom_status,
            instance.journal.history,
            instance.backlog,
        )

    def restored(self, stored: Stored) -> HostedInstance:
        """Return an instance as it was when it was stored."""
        instance = HostedInstance(stored.id, stored.started, stored.created_at)
        instance.begin(stored.history, stored.backlog)
        instance.updated_at, instance.custom_status = stored.updated_at, stored.custom_status
        return instance

    def write(self, stored: Stored) -> None:
        path = self._file(stored.id)
        written = path.with_suffix(".new")
        with written.open("wb") as file:
            file.write(msgspec.json.encode(stored))
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)

    def _file(self, instance_id: str) -> Path:
        # An ID may be too long for the name of a file.
        return self._path / f"{sha256(instance_id.encode()).hexdigest()}.json"

    def read(self) -> list[Stored]:
        self._path.mkdir(exist_ok=True)
        decoder = msgspec.json.Decoder(Stored)
        return [decoder.decode(file.read_bytes()) for file in sorted(self._path.glob("*.json"))]


class FolderComponent(WorkflowComponent):
    """A folder of instances, and a host that runs them."""

    def __init__(self, name: str, folder: Folder, host: Host) -> None:
        super().__init__(name)
        self._folder = folder
        self._host = host

    async def start(self, request: StartRequest) -> None:
        await self._host.start(request)

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        return (await self._folder.find(instance_id)).state(payloads=payloads)

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
        return await self._host.finish(self._purge(instance_id, recursive))

    async def _purge(self, instance_id: str, recursive: bool) -> int:
        family = [await self._folder.find(instance_id)]
        for member in family if recursive else ():
            family += [
                other
                for other in self._folder.instances.values()
                # A family may be a circle.
                if other.parent and other.parent.instance_id == member.id and other not in family
            ]
        for member in family:
            if not member.status.is_closed:
                raise InstanceNotClosed(member.id, member.status)
            await self._host.settle(member)
        async with self._folder.changing:
            family = [
                member for member in family if self._folder.instances.get(member.id) is member
            ]
            # Children first: a process that is killed meanwhile leaves none without a parent.
            for member in reversed(family):
                await self._folder.remove(member)
        return len(family)

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        return (await self._folder.find(instance_id)).history

    async def _deliver(self, instance_id: str, event: HistoryEvent) -> bool:
        return await self._host.deliver(await self._folder.find(instance_id), event)


def folder_type(
    store: Callable[[Path], Folder] = Folder,
    host: type[Host] = Host,
    *,
    recovers: bool = True,
) -> ComponentType[FolderSettings]:
    """Return the component type, with another store or another host where a test wants one."""

    @asynccontextmanager
    async def open_folder(
        settings: FolderSettings, context: ComponentContext
    ) -> AsyncIterator[WorkflowComponent]:
        if context.executor is None:
            raise ConfigurationError(f"component '{context.name}' needs an app: pass one")
        folder = store(settings.folder)
        async with host(folder, context.executor, context.clock, context.machine) as opened:
            for instance in list(folder.instances.values()) if recovers else ():
                await opened.recover(instance)
            yield FolderComponent(context.name, folder, opened)

    return ComponentType("workflow.folder", FolderSettings, open_folder, CAPABILITIES)


CAPABILITIES = frozenset(
    {
        Capability.HOSTING,
        Capability.PAUSE,
        Capability.PURGE,
        Capability.HISTORY,
        Capability.TERMINATE_OUTPUT,
    }
)
FOLDER = folder_type()
