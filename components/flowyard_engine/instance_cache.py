"""The instances in memory, and how others get there from the store."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence

from flowyard.backend import Clock, Executor, Journal, TaskCompleted, TaskFailed, TaskScheduled
from flowyard_engine.instance import Entry, Instance
from flowyard_engine.store import Loaded, Store
from flowyard_engine.timers import Timers

Dispatch = Callable[[Instance, TaskScheduled], None]


class InstanceCache:
    """Active instances by ID. Of the idle ones, the longest idle leave when there are too many."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        executor: Executor,
        timers: Timers,
        resume: Callable[[Instance], None],
        cached_instances: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._executor = executor
        self._timers = timers
        self._resume = resume
        self._cached_instances = cached_instances
        self._live: dict[str, Instance] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._reading: dict[str, asyncio.Task[Instance | None]] = {}
        self._arriving: dict[str, list[Entry]] = {}
        self._results: dict[str, list[Entry]] = {}
        """What activities have returned to instances that are to be read again."""
        self._outdated: set[str] = set()
        """What is being read and has been written since: it is read again."""
        self._end: Exception | None = None
        self.get = self._live.get

    def __len__(self) -> int:
        return len(self._live)

    @property
    def is_reading(self) -> bool:
        """True while an instance is on its way into memory."""
        return bool(self._reading)

    def instances(self) -> list[Instance]:
        """Return what is in memory."""
        return list(self._live.values())

    def knows(self, instance_id: str) -> bool:
        """True if the instance is in memory or on its way there."""
        return instance_id in self._live or instance_id in self._reading

    def add(self, instance: Instance) -> None:
        """Keep an instance that is active from now on, instead of one that is closed."""
        self._live[instance.record.id] = instance
        self._idle.pop(instance.record.id, None)

    def keep_results(self, instance_id: str, results: Sequence[Entry]) -> None:
        """Keep what activities have returned for whoever reads the instance first.

        Otherwise that would run them again.
        """
        if results:
            self._results.setdefault(instance_id, []).extend(results)

    def results(self, instance_id: str) -> Sequence[Entry]:
        """Return what was kept, for once."""
        return self._results.pop(instance_id, ()) if self._results else ()

    def outdate(self, instance_id: str) -> bool:
        """Have an instance that is being read be read again; False if none is."""
        if instance_id not in self._reading:
            return False
        self._outdated.add(instance_id)
        return True

    def remove(self, instance: Instance) -> None:
        """Forget an instance with all that is cached of it."""
        instance_id = instance.record.id
        if self._live.get(instance_id) is instance:
            del self._live[instance_id]
            self._idle.pop(instance_id, None)
            self._timers.forget(instance_id)
            self._executor.forget(instance_id)

    async def close(self, error: Exception) -> list[Instance]:
        """Forget all instances and return them; who waits for one to be read is told the error."""
        self._end = error
        await asyncio.gather(*self._reading.values(), return_exceptions=True)
        instances = self.instances()
        for instance in instances:
            self.remove(instance)
        for instance_id in list(self._results):
            for entry in self.results(instance_id):
                entry.refuse(error)
        return instances

    def rouse(self, instance: Instance) -> None:
        """The instance is not idle any more."""
        if self._idle:
            self._idle.pop(instance.record.id, None)

    def rest(self, instance: Instance) -> None:
        """The instance has become idle."""
        idle = self._idle
        if self._live.get(instance.record.id) is not instance:
            return
        idle[instance.record.id] = None
        while len(idle) > self._cached_instances:
            instance_id, _ = idle.popitem(last=False)
            resting = self._live[instance_id]
            self.remove(resting)
            if resting.record.wake_at:
                self._timers.on_disk(resting.record.wake_at)

    async def read(self, instance_id: str, dispatch: Dispatch, *arriving: Entry) -> Instance | None:
        """Bring an active instance into memory and go on with it; None if there is none.

        What arrives is taken up before the instance can leave memory again.
        """
        self._arriving.setdefault(instance_id, []).extend(arriving)
        reading = self._reading.get(instance_id)
        if reading is None:
            reading = asyncio.get_running_loop().create_task(self._read(instance_id, dispatch))
            self._reading[instance_id] = reading
        return await asyncio.shield(reading)

    async def _read(self, instance_id: str, dispatch: Dispatch) -> Instance | None:
        try:
            loaded = await self._load(instance_id)
        finally:
            # From here on nothing waits: who comes later finds the instance, or reads it again.
            del self._reading[instance_id]
            arrived = self._arriving.pop(instance_id)
        if self._end is not None:
            raise self._end
        results = self.results(instance_id)
        arrived = [*results, *arrived]
        instance = self._live.get(instance_id)
        if instance is None:
            if loaded is None:
                for entry in results:
                    entry.acknowledge(False)
                return None
            journal = Journal(instance_id, loaded.history)
            instance = Instance(loaded.record, journal, loaded.turns)
            self.add(instance)
            self._take_up(instance, loaded, arrived, dispatch)
        else:
            for entry in arrived:
                instance.put(entry)
        self._resume(instance)
        return instance

    async def _load(self, instance_id: str) -> Loaded | None:
        while True:
            self._outdated.discard(instance_id)
            loaded = await self._store.load(instance_id)
            if instance_id not in self._outdated:
                break
        return None if loaded is None or loaded.record.status.is_closed else loaded

    def _take_up(
        self, instance: Instance, loaded: Loaded, arrived: list[Entry], dispatch: Dispatch
    ) -> None:
        journal = instance.journal
        now = self._clock.now()
        for message in loaded.messages:
            entry = Entry.of(message)
            if message.due_at <= now:
                instance.put(entry)
            else:
                instance.know(message.id)
                instance.later.append(entry)
                # Whoever found it due may have done so before the clock was set back.
                self._timers.on_disk(message.due_at)
        for entry in arrived:
            instance.put(entry)
        answered = {
            entry.event.task_id
            for entry in instance.inbox
            if isinstance(entry.event, (TaskCompleted, TaskFailed)) and instance.is_for(entry)
        }
        for scheduled in journal.tasks.values():
            if scheduled.id not in answered:
                dispatch(instance, scheduled)
        for failed in journal.refused.values():
            instance.put(Entry(failed))
        for timer in journal.timers.values():
            self._timers.add(timer.fire_at, instance.record.id)
        for fired in journal.due_timers(now):
            instance.put(Entry(fired))
