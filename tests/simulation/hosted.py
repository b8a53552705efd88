"""One seed of a plugin on `flowyard.backend.Host`: the one of tests/conformance on simulated files.

One process at a time has the folder.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from conformance.filed import Folder, Stored, folder_type
from flowyard.backend.component import ComponentContext, ComponentType, WorkflowComponent
from flowyard.backend.executor import Executor
from flowyard.backend.history import HistoryEvent
from flowyard.backend.host import Host, InstanceStore
from flowyard.backend.host_instance import HostedInstance
from flowyard.clock import Clock
from flowyard.errors import BackendUnavailable
from flowyard.machine import Machine
from flowyard.models import ReusePolicy
from simulation.disk import Storage
from simulation.loop import SimulatedLoop
from simulation.process import Process
from simulation.seed import Simulation
from simulation.trace import Trace
from simulation.world import World

_LONGEST_WRITE = 10_000
_LONGEST_FIND = 1_000
_SHARE_OF_FINDS = 0.2
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Stored)


class Files(Storage):
    """What the processes have written, by the IDs of instances."""

    def __init__(self, world: World, trace: Trace) -> None:
        super().__init__(world, trace)
        self.content: dict[str, bytes] = {}
        self.folder: Folder | None = None
        """As the process that lives has it."""

    def close(self) -> None:
        self.content.clear()

    def is_under_way(self, instance_id: str) -> bool:
        """Whether an instance has sent something there, or started it, that has yet to come."""
        instances = self.folder.instances.values() if self.folder is not None else ()
        return any(
            sending.instance_id == instance_id for each in instances for sending in each.unsent
        )


class SimulatedFolder(Folder):
    """The plugin's own store, but for its files: each is written at a time of its own."""

    def __init__(self, files: Files, loop: SimulatedLoop) -> None:
        self._files = files
        self._loop = loop
        self._writes: set[asyncio.Future[None]] = set()
        super().__init__(Path())

    def read(self) -> list[Stored]:
        return [_decoder.decode(data) for data in self._files.content.values()]

    async def keep(self, stored: Stored) -> None:
        await self._write(stored.id, _encoder.encode(stored))

    async def erase(self, instance_id: str) -> None:
        await self._write(instance_id, None)

    async def close(self) -> None:
        """Return once nothing is being written: what was cut off may have been done, or not."""
        await asyncio.gather(*self._writes, return_exceptions=True)

    async def _write(self, instance_id: str, data: bytes | None) -> None:
        world = self._files.world
        done: asyncio.Future[None] = self._loop.create_future()

        def write() -> None:
            loop, files = self._loop, self._files
            if loop.is_dead:
                return
            if loop.frozen_until > world.now:
                world.at(loop.frozen_until, write)
                return
            refusal = files.draw_refusal() if files.share_of_refusals else None
            if refusal is None:
                files.commits += 1
                if data is None:
                    del files.content[instance_id]
                else:
                    files.content[instance_id] = data
            loop.call_soon(_settle, done, refusal, instance_id)

        world.after(world.draw(_LONGEST_WRITE), write)
        self._writes.add(done)
        done.add_done_callback(self._writes.discard)
        await asyncio.shield(done)


class FarStore:
    """The store as the host has it: to find something takes its time too, and may be refused."""

    def __init__(self, store: InstanceStore) -> None:
        assert isinstance(store, SimulatedFolder)
        self._inner = store
        self._files = store._files

    async def find(self, instance_id: str) -> HostedInstance:
        world = self._files.world
        if world.choices.random() < _SHARE_OF_FINDS:
            await asyncio.sleep(world.draw(_LONGEST_FIND) / 1e6)
        if self._files.share_of_refusals and (refusal := self._files.draw_refusal()):
            raise _refused(instance_id, refusal)
        return await self._inner.find(instance_id)

    async def add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
        await self._inner.add(instance, reuse)

    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        await self._inner.save(instance, events)


class FarHost(Host):
    """A host on a store that is far away."""

    def __init__(
        self, store: InstanceStore, executor: Executor, clock: Clock, machine: Machine
    ) -> None:
        super().__init__(FarStore(store), executor, clock, machine)


class HostedProcess(Process):
    """A process that has the plugin's component open."""

    def _component(self) -> tuple[ComponentType[Any], Mapping[str, str]]:
        files = self._disk
        assert isinstance(files, Files)
        folder = files.folder = SimulatedFolder(files, self.loop)
        kind = folder_type(lambda _: folder, FarHost)

        @asynccontextmanager
        async def open_here(
            settings: Any, context: ComponentContext
        ) -> AsyncIterator[WorkflowComponent]:
            try:
                async with kind.open(settings, replace(context, machine=self.machine)) as component:
                    yield component
            finally:
                await folder.close()

        return replace(kind, open=open_here), {"folder": "nowhere"}


class HostedSimulation(Simulation):
    """The world of one seed: what the component does not declare is not done."""

    process = HostedProcess
    most_processes = 1

    def _make_disk(self) -> Storage:
        files = Files(self._world, self._trace)
        self._ledger.is_under_way = files.is_under_way
        return files


def _refused(instance_id: str, refusal: str) -> BackendUnavailable:
    return BackendUnavailable(f"instance '{instance_id}' could not be written: {refusal}")


def _settle(done: asyncio.Future[None], refusal: str | None, instance_id: str) -> None:
    if done.done():
        return
    if refusal is None:
        done.set_result(None)
    else:
        done.set_exception(_refused(instance_id, refusal))
