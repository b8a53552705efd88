"""A simulated process: the engine on the world's disk, and what works with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from flowyard import App, Runtime
from flowyard.backend.component import ComponentContext, ComponentType
from flowyard.backend.executor import Executor, RegisteredExecutor
from flowyard.config import ComponentSpec
from flowyard.errors import BackendUnavailable
from flowyard.executors.remote import RemoteExecutors
from flowyard_engine.component import EngineComponent
from flowyard_engine.lease import Lease
from flowyard_engine.plugin import ENGINE
from flowyard_engine.settings import EngineSettings
from flowyard_engine.sqlite import SqliteStore
from simulation.disk import Disk, SimulatedReader, SimulatedWriter, Storage
from simulation.loop import SimulatedLoop
from simulation.machine import SimulatedMachine
from simulation.slow_turns import SlowTurns
from simulation.trace import Trace
from simulation.world import World

LEASE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a process is set up."""

    cached_instances: int
    drain: float
    """In seconds; 0 for none."""
    slow: float = 0.0
    """The share of the app's turns that take their time, as if workers ran them."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all processes of a world share."""

    world: World
    disk: Storage
    trace: Trace
    tell: Callable[[str, str], None]
    """Takes the kind of a violation, and what was seen."""


class Process:
    """One process from its beginning to its end; what its app does not have, workers may run."""

    def __init__(
        self,
        surroundings: Surroundings,
        name: str,
        options: Options,
        app: App | None,
        live: Callable[[Process, Runtime], Awaitable[None]],
        *,
        has_workers: bool = False,
    ) -> None:
        self._world = surroundings.world
        self._disk = surroundings.disk
        self._trace = surroundings.trace
        self._tell = surroundings.tell
        self._app = app
        self._live = live
        self._has_workers = has_workers
        self.name = name
        self.options = options
        self.loop = SimulatedLoop(surroundings.world, self._tell_fault)
        self.machine = SimulatedMachine(surroundings.world, self.loop, name)
        self.stopped, self.calmed, self.works = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.is_open = self.has_ended = False
        self.failure: BaseException | None = None
        self._lease: Lease | None = None
        self.loop.call_soon(self._begin)

    @property
    def is_alive(self) -> bool:
        """Whether it is neither killed nor at its end."""
        return not (self.loop.is_dead or self.has_ended)

    @property
    def is_owner(self) -> bool:
        """Whether it has the database, or had it when it was last awake."""
        return self._lease is not None and self._lease.fence is not None

    def kill(self) -> None:
        """End it at once; what is committed stays."""
        self._trace.note(self.name, "is killed")
        self.loop.kill()

    def stop(self) -> None:
        """Have it end in order."""
        self._trace.note(self.name, "is to stop")
        self.loop.call_soon(self._set, self.stopped)

    def calm(self) -> None:
        """Have it finish all that is open, and judge it."""
        self.loop.call_soon(self._set, self.calmed)

    def work(self) -> None:
        """Have it start instances, and whatever else is done to them."""
        self.loop.call_soon(self._set, self.works)

    def freeze(self, microseconds: int) -> None:
        """Have it stand still for a while, as by SIGSTOP."""
        self._trace.note(self.name, f"stands still for {microseconds / 1e6:g} s")
        self.loop.frozen_until = self._world.now + microseconds

    def _set(self, event: asyncio.Event) -> None:
        event.set()
        self.works.set()

    def _begin(self) -> None:
        self._main = self.loop.create_task(self._run())
        self._main.add_done_callback(self._ended)

    def _ended(self, main: asyncio.Task[None]) -> None:
        self.has_ended = True
        if not main.cancelled():
            self.failure = main.exception()
        self._trace.note(self.name, f"has ended{f' by {self.failure!r}' if self.failure else ''}")

    def _tell_fault(self, text: str) -> None:
        self._tell("fault in a loop", text)

    async def _run(self) -> None:
        options = self.options
        self.executors = RemoteExecutors(machine=self.machine)
        kind, metadata = self._component()
        spec = ComponentSpec(name="orders", type=kind.name, metadata=metadata)
        async with Runtime.open(
            [spec],
            self._app,
            executor=self._make_executor,
            clock=self.machine,
            component_types=[kind],
            drain=timedelta(seconds=options.drain),
        ) as runtime:
            self.is_open = True
            await self._live(self, runtime)

    def _make_executor(self, name: str, local: RegisteredExecutor | None) -> Executor | None:
        if self._has_workers:
            return self.executors.make(name, local)
        assert local is not None
        if not self.options.slow:
            return local
        return SlowTurns(local, self._world, self.loop, self.options.slow)

    def _component(self) -> tuple[ComponentType[Any], Mapping[str, str]]:
        """Return what it opens, and how."""
        return replace(ENGINE, open=self._open), {
            "cachedInstances": str(self.options.cached_instances),
            "leaseSeconds": str(LEASE_SECONDS),
        }

    @asynccontextmanager
    async def _open(
        self, settings: EngineSettings, context: ComponentContext
    ) -> AsyncIterator[EngineComponent]:
        machine, logger, disk = self.machine, context.logger, self._disk
        assert isinstance(disk, Disk)
        lease = self._lease = Lease(settings.lease_seconds, machine)
        writer = SimulatedWriter(disk, self.loop, lease, settings, machine, logger)
        reader, scanner = (SimulatedReader(disk, self.loop, self.name) for _ in range(2))
        store = SqliteStore(settings, writer, lease, reader, scanner)
        try:
            async with EngineComponent.on(
                store, settings, replace(context, machine=machine)
            ) as component:
                yield component
        finally:
            if lease.fence is not None:
                with suppress(BackendUnavailable):
                    await writer.run(lease.release)
            await writer.stop()
