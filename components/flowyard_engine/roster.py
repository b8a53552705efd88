"""The instances in memory, and how others get there from the store."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from flowyard.clock import Clock
from flowyard.executor import Executor
from flowyard.history import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
)
from flowyard.journal import Journal, result_of
from flowyard.models import FailureDetails
from flowyard_engine.alarms import Alarms
from flowyard_engine.instance import Entry, Instance
from flowyard_engine.store import Loaded, Message, Snapshot, Store

_RESULTS = (TaskCompleted, TaskFailed, ChildCompleted, ChildFailed)
Dispatch = Callable[[Instance, TaskScheduled], None]


class Roster:
    """Active instances by ID. Of the idle ones, the longest idle leave when there are too many."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        executor: Executor,
        alarms: Alarms,
        resume: Callable[[Instance], None],
        cached_instances: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._executor = executor
        self._alarms = alarms
        self._resume = resume
        self._cached_instances = cached_instances
        self._live: dict[str, Instance] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._reading: dict[str, asyncio.Task[Instance | None]] = {}
        self._arriving: dict[str, list[Entry]] = {}
        self._end: Exception | None = None
        self.get = self._live.get

    def __len__(self) -> int:
        return len(self._live)

    @property
    def is_reading(self) -> bool:
        """True while an instance is on its way into memory."""
        return bool(self._reading)

    def knows(self, instance_id: str) -> bool:
        """True if the instance is in memory or on its way there."""
        return instance_id in self._live or instance_id in self._reading

    def add(self, instance: Instance) -> None:
        """Keep an instance that is active from now on."""
        self._live[instance.record.id] = instance

    def remove(self, instance: Instance) -> None:
        """Forget an instance with all that is cached of it."""
        instance_id = instance.record.id
        if self._live.get(instance_id) is instance:
            del self._live[instance_id]
            self._idle.pop(instance_id, None)
            self._executor.forget(instance_id)

    async def close(self, error: Exception) -> list[Instance]:
        """Forget all instances and return them; who waits for one to be read is told the error."""
        self._end = error
        await asyncio.gather(*self._reading.values(), return_exceptions=True)
        instances = list(self._live.values())
        for instance in instances:
            self.remove(instance)
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
            self._alarms.forget(instance_id)
            if resting.record.wake_at:
                self._alarms.on_disk(resting.record.wake_at)

    def put_due(self, instance: Instance, messages: list[Message]) -> None:
        """Take up stored messages, but for a start whose time has not come."""
        now = self._clock.now()
        instance.later = []
        for message in messages:
            entry = Entry(message.event, message_id=message.id)
            if message.due_at <= now:
                instance.put(entry)
            else:
                instance.later.append(entry)

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
        ends: list[ChildCompleted | ChildFailed] = []
        try:
            loaded = await self._store.load(instance_id)
            if loaded is not None and loaded.record.status.is_closed:
                loaded = None
            journal = Journal(instance_id, loaded.history if loaded is not None else ())
            for child in journal.children.values():
                snapshot = await self._store.read(child.instance_id, payloads=True)
                if (end := _end_of(child, snapshot, journal)) is not None:
                    ends.append(end)
        finally:
            # From here on nothing waits: who comes later finds the instance, or reads it again.
            del self._reading[instance_id]
            arrived = self._arriving.pop(instance_id)
        if self._end is not None:
            raise self._end
        instance = self._live.get(instance_id)
        if instance is not None:
            for entry in arrived:
                instance.put(entry)
        elif loaded is None:
            return None
        else:
            instance = Instance(loaded.record, journal, loaded.turns)
            self.add(instance)
            self._take_up(instance, loaded, arrived, ends, dispatch)
        self._resume(instance)
        return instance

    def _take_up(
        self,
        instance: Instance,
        loaded: Loaded,
        arrived: list[Entry],
        ends: list[ChildCompleted | ChildFailed],
        dispatch: Dispatch,
    ) -> None:
        journal = instance.journal
        self.put_due(instance, loaded.messages)
        for entry in arrived:
            instance.put(entry)
        answered = {
            entry.event.task_id
            for entry in instance.inbox
            if isinstance(entry.event, _RESULTS) and instance.is_for(entry)
        }
        for scheduled in journal.tasks.values():
            if scheduled.id not in answered:
                dispatch(instance, scheduled)
        instance.inbox += [Entry(end) for end in ends if end.task_id not in answered]
        for timer in journal.timers.values():
            self._alarms.add(timer.fire_at, instance.record.id)
        instance.inbox += [Entry(fired) for fired in journal.due_timers(self._clock.now())]


def _end_of(
    child: ChildCreated, snapshot: Snapshot | None, journal: Journal
) -> ChildCompleted | ChildFailed | None:
    """Return how an open child has ended; None while it is active."""
    if snapshot is None:
        message = f"child instance '{child.instance_id}' was purged before its result was taken up"
        return ChildFailed(child.id, FailureDetails("InstanceNotFound", message))
    link = snapshot.started.parent if snapshot.started is not None else None
    assert journal.started is not None  # noqa: S101
    if (
        link is None
        or link.execution_id != journal.started.execution_id
        or link.task_id != child.id
    ):
        message = f"an instance with ID '{child.instance_id}' existed when the child was to start"
        return ChildFailed(child.id, FailureDetails("InstanceAlreadyExists", message))
    return None if snapshot.completion is None else result_of(child, snapshot.completion)
