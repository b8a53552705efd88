"""One seed of workers that misbehave, on a server that is killed or stopped now and then."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import traceback
from argparse import Namespace
from collections.abc import Callable

from google.protobuf.message import Message

from chaos.adversary.seed import Seed
from chaos.hub import shown
from flowyard import App, Runtime
from flowyard.server.grpc.server import route
from flowyard.wire.v1 import taskhub_pb2 as wire
from simulation.disk import Disk
from simulation.found import Errors, Found
from simulation.loop import SimulatedLoop
from simulation.machine import SimulatedMachine
from simulation.near import NEAR, near_app
from simulation.network import Endpoint, SimulatedChannel
from simulation.process import Options, Process, Surroundings
from simulation.trace import Trace
from simulation.world import World

_SECOND = 1_000_000
_LONGEST = 600 * _SECOND
_LONGEST_END = 60.0
_LAST_ANSWERS_SECONDS = 1.0
_SHOWN = 100
_LONGEST_SHOWN = 600
_MOST_STEPS = 10
_SHARE_OF_RESTARTS = 0.3
_SHARES_OF_LATER_VERSIONS = (0.0, 0.5)
_SHARE_OF_APPS = 0.3
_SHARES_OF_REFUSALS = (0.0, 0.0, 0.0, 0.002, 0.02)


class WorkerSimulation:
    """The world of one seed: the workers and clients are in one loop, the server in another."""

    def __init__(self, seed: int) -> None:
        self._found = Found(seed)
        self._world = World(seed)
        self._trace = Trace(self._world)
        self._outside = SimulatedLoop(self._world, lambda text: self._tell("fault in a loop", text))
        machine = SimulatedMachine(self._world, self._outside, "outside")
        self._disk = Disk(self._world, machine, self._trace)
        self._servers: list[Process] = []
        steps = self._world.choices.randint(1, _MOST_STEPS)
        options = Namespace(
            tokens=0.7,
            patience=60.0,
            steps=steps,
            restarts=_SHARE_OF_RESTARTS,
            versions=self._world.choices.choice(_SHARES_OF_LATER_VERSIONS),
        )
        self._app: App | None = None
        self._seed = Seed(seed, self._serve, self._tell, options, machine)
        if self._world.choices.random() < _SHARE_OF_APPS:
            self._seed.model.workflows.append(NEAR)
            self._app = near_app(self._seed.model, self._world.choices)

    def run(self) -> Found:
        """Let it happen, and judge it."""
        found = self._found
        logging.getLogger().addHandler(handler := Errors(self._tell))
        task = None

        def begin() -> None:
            nonlocal task
            task = self._outside.create_task(self._run())

        try:
            self._outside.call_soon(begin)
            world = self._world
            if not world.run(lambda: task is not None and task.done(), world.now + _LONGEST):
                self._tell("does not end", f"not within {_LONGEST / _SECOND:g} s")
        finally:
            logging.getLogger().removeHandler(handler)
            for server in self._servers:
                server.loop.kill()
            self._outside.kill()
            self._disk.close()
        for at, parts in self._seed.noted:
            self._trace.note("", repr((at, [_told(part) for part in parts])))
        found.commits, found.digest = self._disk.commits, self._trace.digest
        if found.violations:
            found.trace = self._shown(found.violations[0][1])
        return found

    def _shown(self, violation: str) -> str:
        """Return the last lines before a violation that are about its instance, or about none."""
        instance_id = re.split("[ :]", violation)[0]
        quoted = f'"{instance_id}"'
        engine = self._trace.of_instance(instance_id)
        said = [(at, " ".join(map(_short, parts))) for at, parts in self._seed.noted]
        is_known = any(quoted in text for _, text in said)
        lines: list[str] = []
        for at, text in sorted((*engine, *said), key=lambda line: line[0]):
            if not is_known or quoted in text or "instance_id" not in text:
                lines.append(f"{at:10.6f} {text[:_LONGEST_SHOWN]}")
            if text.startswith("VIOLATION"):
                break
        return "\n".join(lines[-_SHOWN:])

    async def _run(self) -> None:
        try:
            await self._seed.run()
        except Exception:  # noqa: BLE001 - it is what the seed has come to
            self._tell("seed failed", traceback.format_exc()[-2500:])

    def _serve(self, choices: random.Random) -> SimulatedServer:
        surroundings = Surroundings(self._world, self._disk, self._trace, self._tell)
        options = Options(choices.choice((0, 3, 1000)), 0.0)
        return SimulatedServer(
            surroundings,
            self._outside,
            options,
            choices,
            self._found,
            self._servers,
            lambda: self._app,
        )

    def _tell(self, kind: str, text: str) -> None:
        self._found.violations.append((kind, text))


class SimulatedServer:
    """Serves the world's disk to workers and clients; `epoch` counts its lives."""

    def __init__(
        self,
        surroundings: Surroundings,
        outside: SimulatedLoop,
        options: Options,
        choices: random.Random,
        found: Found,
        servers: list[Process],
        app: Callable[[], App | None],
    ) -> None:
        self._surroundings = surroundings
        self._outside = outside
        self._options = options
        self._choices = choices
        self._found = found
        self._servers = servers
        self._app = app
        self._share_of_refusals = surroundings.world.choices.choice(_SHARES_OF_REFUSALS)
        self.may_refuse = bool(self._share_of_refusals)
        self._grace = choices.choice((0.0, 0.3))
        self._endpoint = Endpoint(outside)
        self.epoch = 0

    def calm(self) -> None:
        """Have the disk refuse nothing from now on."""
        self._share_of_refusals = self._surroundings.disk.share_of_refusals = 0.0

    def channel(self) -> SimulatedChannel:
        """Return a new connection to it."""
        return SimulatedChannel(self._surroundings.world, self._outside, self._endpoint)

    async def start(self) -> None:
        """Return once it serves."""
        self.epoch += 1
        disk = self._surroundings.disk
        disk.share_of_refusals = 0.0
        process = Process(
            self._surroundings,
            f"s{self.epoch}",
            self._options,
            self._app(),
            self._live,
            has_workers=True,
        )
        self._servers.append(process)
        self._endpoint = Endpoint(process.loop)
        while self._endpoint.router is None:
            if not process.is_alive:
                raise RuntimeError(f"the server has ended: {process.failure!r}")
            await asyncio.sleep(0.001)
        disk.share_of_refusals = self._share_of_refusals

    async def stop(self) -> None:
        """Kill it, or have it end in order; raises `TimeoutError`."""
        process = self._servers[-1]
        if self._choices.random() < 0.6:
            self._found.kills += 1
            process.kill()
            self._endpoint.end()
            return
        self._found.stops += 1
        process.stop()
        async with asyncio.timeout(_LONGEST_END):
            while process.is_alive:  # noqa: ASYNC110 - it is in another loop
                await asyncio.sleep(0.001)
        if process.failure is not None:
            raise process.failure

    async def _live(self, process: Process, runtime: Runtime) -> None:
        queue = process.executors.queue("orders")
        endpoint = self._endpoint
        endpoint.router = route(runtime, queue)
        await process.stopped.wait()
        # As `serve_grpc` ends.
        try:
            async with asyncio.timeout(self._grace):
                await queue.drain()
        except TimeoutError:
            pass
        queue.close()
        await asyncio.sleep(min(self._grace, _LAST_ANSWERS_SECONDS))
        endpoint.end()


def _short(part: object) -> str:
    """Return a part of what was noted as text; of the past of a turn only how long it is."""
    if not (isinstance(part, wire.WorkItem) and part.HasField("workflow_request")):
        return shown(part)
    brief = wire.WorkItem()
    brief.CopyFrom(part)
    count = len(brief.workflow_request.past_events)
    brief.workflow_request.ClearField("past_events")
    return f"{shown(brief)} after {count} events"


def _told(part: object) -> object:
    """Return what tells a message from others, in less time than its text takes."""
    return part.SerializeToString(deterministic=True) if isinstance(part, Message) else part
