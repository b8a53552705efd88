"""The driver: clients that never rest, and processes that are killed and stopped in turn."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio

from chaos import hub
from chaos.workers.ledger import COLLECTORS, Instance, Ledger
from chaos.workers.processes import Misbehaviour, ServerProcess, WorkerProcess
from chaos.workers.replay import END, WORKFLOWS

_HANDS = 3
_MOST_OPEN = 30
_LONGEST_ROUND = 2.0
_UNKNOWN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN}


@dataclass(slots=True)
class Clients:
    """Start, raise and terminate, and judge what has closed."""

    hub: hub.Hub
    ledger: Ledger
    choices: random.Random
    is_finishing: bool = False
    busy: set[str] = field(default_factory=set)

    async def work(self) -> None:
        """Do one thing after the other, for ever."""
        while True:
            try:
                await self._step()
            except grpc.aio.AioRpcError as error:
                # Whether it was done nobody knows; anything but a server that is gone is a fault.
                if error.code() not in _UNKNOWN:
                    self.ledger.tell("call refused", f"{error.code().name}: {error.details()}")
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.01 * self.choices.random())

    async def _step(self) -> None:
        idle = [value for name, value in self.ledger.open.items() if name not in self.busy]
        if len(self.ledger.open) < _MOST_OPEN and not self.is_finishing:
            self.ledger.numbers += 1
            workflow = self.choices.choice(list(WORKFLOWS))
            instance = Instance(f"{workflow}-{self.ledger.numbers}", workflow)
            self.ledger.open[instance.instance_id] = instance
        elif idle:
            instance = self.choices.choice(idle)
        else:
            return
        self.busy.add(instance.instance_id)
        try:
            await self._do(instance)
        finally:
            self.busy.discard(instance.instance_id)

    async def _do(self, instance: Instance) -> None:
        name, is_time = instance.instance_id, self.is_finishing or self.choices.random() < 0.1
        if not instance.is_started:
            try:
                await self.hub.start(instance.workflow, name, "[]", unique=True)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                    raise
            instance.is_started = True
        elif instance.workflow == "waiting" and is_time and not instance.termination:
            instance.termination = False
            await self.hub.terminate(name)
            instance.termination = True
        elif instance.workflow in COLLECTORS and not instance.raised.get(END):
            await self._raise(instance, is_time)
        else:
            state = await self.hub.state(name)
            self.ledger.faults_of_state(instance, state)
            if state is not None and hub.status_of(state) in hub.CLOSED:
                self.ledger.settle(state, time.monotonic())

    async def _raise(self, instance: Instance, is_time: bool) -> None:
        item = f"item-{len(instance.raised)}"
        if END in instance.raised or (is_time and (self.is_finishing or len(instance.raised) > 2)):
            item = END
        instance.raised.setdefault(item, False)
        await self.hub.raise_event(instance.instance_id, "item", f'"{item}"')
        instance.raised[item] = True


@dataclass(slots=True)
class Rounds:
    """What is killed and stopped, drawn by a seed."""

    server: ServerProcess
    ledger: Ledger
    choices: random.Random
    patience: float
    workers: list[WorkerProcess] = field(default_factory=list)
    names: int = 0

    async def run(self, rounds: int, each: int) -> None:
        """Interrupt so many times; after `each` of them all has to come to its end."""
        await self.server.start()
        client = hub.Hub(hub.channel_to(self.server.address))
        clients = Clients(client, self.ledger, self.choices)
        try:
            await self._fill()
            done = 0
            while done < rounds:
                async with _working(clients):
                    for _ in range(min(each, rounds - done)):
                        await asyncio.sleep(self.choices.uniform(0.05, _LONGEST_ROUND))
                        await self._interrupt()
                        done += 1
                    clients.is_finishing = True
                    await self._calm()
                    clients.is_finishing = False
        finally:
            await client.close()
            for worker in self.workers:
                await worker.end(signal.SIGKILL)
            await self.server.kill()

    async def _interrupt(self) -> None:
        what = self.choices.choice(("kill", "stop", "kill worker", "stop worker", "all"))
        if what in {"kill", "all"}:
            await self.server.kill()
        elif what == "stop":
            await self._stop()
        if what in {"kill worker", "stop worker", "all"}:
            worker = self.workers.pop(self.choices.randrange(len(self.workers)))
            self.ledger.gone.add(worker.name)
            is_stop = what == "stop worker"
            await worker.end(signal.SIGTERM if is_stop else signal.SIGKILL)
        if what in {"kill", "stop", "all"}:
            await asyncio.sleep(self.choices.choice((0.0, 0.3)))
            self.ledger.served_since = time.monotonic()
            await self.server.start()
        await self._fill()

    async def _stop(self) -> None:
        try:
            await self.server.stop()
        except Misbehaviour as misbehaviour:
            self.ledger.tell(misbehaviour.kind, misbehaviour.text)

    async def _fill(self) -> None:
        """Have two workers."""
        while len(self.workers) < 2:
            self.names += 1
            worker = WorkerProcess(
                f"worker {self.names}",
                "chaos.workers.program",
                self.server.address,
                self.ledger.apply,
                self.server.folder,
            )
            await worker.start()
            self.workers.append(worker)

    async def _calm(self) -> None:
        """Return once nothing is open; what does not end is told, and given up."""
        last, since = -1, time.monotonic()
        while self.ledger.open:
            if len(self.ledger.open) != last:
                last, since = len(self.ledger.open), time.monotonic()
            elif time.monotonic() - since > self.patience:
                await self._give_up()
            await asyncio.sleep(0.05)

    async def _give_up(self) -> None:
        client = hub.Hub(hub.channel_to(self.server.address))
        for instance in list(self.ledger.open.values()):
            state = await client.state(instance.instance_id)
            text = "it does not exist"
            if state is not None:
                events = await client.history(instance.instance_id)
                tail = [str(event.WhichOneof("event_type")) for event in events[-8:]]
                text = f"{hub.status_of(state)}, its history ends with {tail}"
            self.ledger.tell(f"stuck, {instance.workflow}", f"{instance.instance_id}: {text}")
        self.ledger.open.clear()
        await client.close()


@asynccontextmanager
async def _working(clients: Clients) -> AsyncIterator[None]:
    hands = [asyncio.create_task(clients.work()) for _ in range(_HANDS)]
    try:
        yield
    finally:
        for hand in hands:
            hand.cancel()
        ended = await asyncio.gather(*hands, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
