"""The owner: runs the instances of one store, as long as its process owns it."""

from __future__ import annotations

import asyncio
import logging

from flowyard.backend import (
    Clock,
    Executor,
    HistoryEvent,
    InstanceAlreadyExists,
    Journal,
    Machine,
    StartRequest,
    WorkflowState,
)
from flowyard_engine import commits
from flowyard_engine.instance import Entry, Instance
from flowyard_engine.state import to_state
from flowyard_engine.store import Store
from flowyard_engine.turns import Turns


class Engine:
    """What a component asks of the instances that run in this process."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        clock: Clock,
        machine: Machine,
        logger: logging.Logger,
        cached_instances: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._machine = machine
        self._loop = asyncio.get_running_loop()
        self._turns = Turns(store, executor, clock, machine, logger, cached_instances)

    async def start(self, request: StartRequest) -> None:
        """Run the first turn and return when it is written."""
        if self._turns.is_stopped:
            raise self._turns.end
        instance_id = request.instance_id
        while self._turns.cache.knows(instance_id):
            taken = await self._turns.find(instance_id)
            if taken is None:
                continue  # a child may have got the ID since it was read
            if not taken.journal.is_closed:
                raise InstanceAlreadyExists(instance_id, taken.record.status)
            if self._turns.cache.get(instance_id) is taken:
                await self._turns.waiters.add(instance_id)
        record, message = commits.of_start(request, self._clock.now(), self._machine)
        if message.due_at:
            await self._store.create(record, message, request.reuse)
            self._turns.timers.on_disk(message.due_at)
            return
        instance = Instance(record, Journal(instance_id), is_new=True, reuse=request.reuse)
        self._turns.cache.add(instance)
        ack: asyncio.Future[bool] = self._loop.create_future()
        self._turns.post(instance, Entry(message.event, ack))
        await ack

    async def deliver(self, instance_id: str, event: HistoryEvent) -> bool | None:
        """Hand an event to an instance; None if it is not active, else whether it was admitted."""
        # What another process has stored comes first, or this one before it became the owner.
        await self._turns.arrivals.settled()
        ack: asyncio.Future[bool] = self._loop.create_future()
        if await self._turns.find(instance_id, Entry(event, ack)) is None:
            return None
        return await ack

    def is_waiting(self, instance_id: str) -> bool:
        """Whether a worker is to run a turn of the instance and has not answered yet."""
        instance = self._turns.cache.get(instance_id)
        return instance is not None and instance.waiting is not None

    async def wait(self, instance_id: str) -> WorkflowState | None:
        """Return the state once the instance has closed; None if it is not there."""
        waiter = self._turns.waiters.add(instance_id)
        try:
            if self._turns.cache.get(instance_id) is None:
                snapshot = await self._store.read(instance_id, payloads=True)
                if snapshot is None or snapshot.record.status.is_closed:
                    return None if snapshot is None else to_state(snapshot)
            return await waiter
        finally:
            self._turns.waiters.remove(instance_id, waiter)

    async def idle(self) -> None:
        """Return once no turn is under way, no activity runs and nothing is being read."""
        while (
            self._turns.under_way
            or self._turns.activities
            or self._turns.background
            or self._turns.inbox_writer
            or self._turns.cache.is_reading
        ):
            await self._turns.background.progress()

    async def drain(self) -> None:
        """Begin no more activities; return once those that run are recorded."""
        self._turns.is_draining = True
        while self._turns.activities or any(map(_is_unwritten, self._turns.cache.instances())):
            await self._turns.background.progress()

    async def recover(self) -> None:
        """Take up what the last owner left unfinished."""
        unfinished = await self._store.unfinished(self._clock.now())
        self._turns.arrivals.begin(unfinished.seen)
        self._turns.stalled.open()
        self._turns.background.run(self._turns.recovery.load_all(unfinished.instance_ids))
        self._turns.background.run(self._turns.recovery.load_due())

    def foreign_write(self) -> None:
        """Another process has written: take up what it left."""
        if not self._turns.is_stopped:
            self._turns.arrivals.foreign_write()

    def look_for_messages(self) -> None:
        """Take up what this process has stored as messages."""
        if not self._turns.is_stopped:
            self._turns.arrivals.look()

    async def stop(self, error: Exception) -> None:
        """Let go of all instances, and tell everybody who waits why."""
        self._turns.stop(error)
        self._turns.stalled.close()
        self._turns.timers.cancel()
        ending = [*self._turns.activities.cancel(), *self._turns.background.cancel()]
        await asyncio.gather(*ending, return_exceptions=True)
        for instance in await self._turns.cache.close(error):
            for entry in instance.inbox:
                entry.refuse(error)
        self._turns.waiters.fail(error)


def _is_unwritten(instance: Instance) -> bool:
    """Whether something has come for the instance that is neither in its history nor stored."""
    if instance.waiting is None:
        return instance.busy or instance.saving is not None
    return bool(instance.unsaved or instance.saving is not None or not instance.saves)
