"""Steps: one after the other they move an instance on. A step is a turn, or an activity with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from flowyard.backend import (
    NEVER,
    Clock,
    Executor,
    HistoryEvent,
    run_scheduled,
)
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.names import Names
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.children import Children
from flowyard_conductor.hosted.definitions import KEPT_STEPS
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.loop_condition import output_of
from flowyard_conductor.hosted.outbox import HOLD_MICROSECONDS, Outbox
from flowyard_conductor.hosted.records import Record, new_record_id
from flowyard_conductor.hosted.stalled import Stalled
from flowyard_conductor.hosted.turns import News, Turns
from flowyard_conductor.hosted.wakeups import LOOKS_AFTER_SECONDS
from flowyard_conductor.worker.commits import Commits
from flowyard_conductor.worker.slots import Slots

# Where as many steps were lost one after the other, what the server may forget is told again.
_MOST_LOST = KEPT_STEPS // 6

# The same after as many that had nothing to add.
_MOST_WITHOUT_BASE = 2 * KEPT_STEPS // 3

# How long the result of an activity is not on the server because a worker has the turn that takes
# it, or none has come for it, in seconds.
_LONGEST_UNRECORDED_SECONDS = 1.0


class Steps:
    """Does the steps that this process polls."""

    def __init__(
        self,
        names: Names,
        tasks: Tasks,
        cache: InstanceCache,
        turns: Turns,
        outbox: Outbox,
        children: Children,
        stalled: Stalled,
        commits: Commits,
        slots: Slots,
        executor: Executor,
        clock: Clock,
    ) -> None:
        self._names = names
        self._tasks = tasks
        self._cache = cache
        self._turns = turns
        self._outbox = outbox
        self._children = children
        self._stalled = stalled
        self._commits = commits
        self._slots = slots
        """Those of activities."""
        self._executor = executor
        self._clock = clock

    async def run(self, task: Json) -> Json | None:
        """Do a step, and return the next task that the server hands out."""
        instance: HostedInstance | None = None
        answered: list[tuple[str, int]] = []
        try:
            async with self._tasks.hold(task) as hold:
                instance = await self._cache.at(task)
                if instance is None:
                    return None
                side_workflows = set(instance.side_workflows)
                async with instance.lock:
                    record = await self._record(instance, task, answered)
            if record is None:
                self._cache.drop(instance)
                return await self._tasks.complete(task, output_of(int(task["iteration"])))
            return await self._commits.commit(
                instance, task, record, hold, answered, side_workflows
            )
        except BaseException:
            # The journal may be ahead of what is committed.
            if instance is not None:
                self._cache.drop(instance)
            raise

    async def _record(
        self, instance: HostedInstance, task: Json, answered: list[tuple[str, int]]
    ) -> Record | None:
        """Return what the step puts out; note the activity that it has run."""
        if instance.outcome is not None:
            return Record(
                record_id=instance.record_id,
                custom_status=instance.custom_status,
                outcome=instance.outcome,
            )
        iteration = int(task["iteration"])
        is_lossy = (
            iteration - instance.iteration > _MOST_LOST
            or iteration - instance.base > _MOST_WITHOUT_BASE
        )
        if instance.runs_activity:
            if is_lossy:
                return self._told_again(instance)
            if iteration == instance.iteration + 1 or not await self._turns.is_ended(instance):
                if task["taskType"] == self._names.activity:
                    return await self._act(instance, iteration, answered)
                if self._slots.free <= 0:
                    return self._told_again(instance)
                with self._slots.lend():
                    return await self._act(instance, iteration, answered)
        await self._outbox.await_start(instance)
        came = await self._outbox.perform(instance)
        if is_lossy:
            return self._told_again(instance, came)
        if instance.journal.completion is not None:
            return Record(
                record_id=instance.record_id,
                custom_status=instance.custom_status,
                outcome=instance.to_outcome(),
            )
        news = await self._turns.gather(instance, came)
        while instance.has_messages or (
            not news.events
            and not news.messages
            and not instance.backlog
            and await self._hold(instance)
        ):
            # A message that came meanwhile may pause the instance, or end it.
            news = await self._turns.gather(instance, came)
        record = await self._turns.take(instance, news, iteration)
        if record is not None:
            await self._follow(instance, record)
        return record

    async def _act(
        self, instance: HostedInstance, iteration: int, answered: list[tuple[str, int]]
    ) -> Record | None:
        """Run the activity that is all the code waits for, and the turn that follows."""
        assert instance.fused is not None  # noqa: S101
        execution_id = instance.execution_id
        scheduled = instance.journal.tasks[instance.fused]
        begun = time.monotonic()
        event = await run_scheduled(self._executor, instance.instance_id, execution_id, scheduled)
        answered.append((execution_id, scheduled.id))
        before = Record(
            record_id=new_record_id(),
            custom_status=instance.custom_status,
            stalled=instance.stalled,
            kept=[*instance.kept, event],
            side_workflows=instance.side_workflows,
        )
        if instance.has_messages or time.monotonic() - begun > LOOKS_AFTER_SECONDS:
            news = await self._turns.gather(instance, [event])
        else:
            news = News([event])
        record = await self._turns.take(
            instance, news, iteration, patience=_LONGEST_UNRECORDED_SECONDS
        )
        if record is None:
            # The result is committed by itself: the turn that takes it has yet to be taken, and
            # who takes it reads the instance again.
            self._cache.drop(instance)
            return before
        await self._follow(instance, record)
        return record

    async def _follow(self, instance: HostedInstance, record: Record) -> None:
        """Do what has to be done before the record of a turn is committed."""
        if record.stalled is not None:
            await self._stalled.note(instance, record.stalled)
        terminated = instance.journal.terminated
        if terminated is not None and terminated.recursive:
            await self._children.end(instance)

    def _told_again(self, instance: HostedInstance, came: Sequence[HistoryEvent] = ()) -> Record:
        """Return all that was as one record, of which nothing is new."""
        again = Record(
            record_id=instance.record_id,
            events=instance.journal.history,
            is_base=True,
            messages=instance.messages,
            custom_status=instance.custom_status,
            backlog=instance.backlog or None,
            children=instance.children,
            side_workflows=instance.side_workflows,
            stalled=instance.stalled,
            kept=[*instance.kept, *came],
            is_done=True,
        )
        if instance.fused is None:
            return again
        scheduled = instance.journal.tasks[instance.fused]
        return replace(
            again,
            next="activity",
            fused=instance.fused,
            activity=scheduled.name,
            input=scheduled.input,
        )

    async def _hold(self, instance: HostedInstance) -> bool:
        """Wait for a timer that is due soon, or for something to come; False if nothing will."""
        due = instance.next_due()
        if instance.has_arrival:
            return True
        left = (due if due is not None else NEVER) - self._clock.now()
        if left > HOLD_MICROSECONDS:
            return False
        alarm = self._clock.call_at(due or 0, instance.arrived)
        try:
            await instance.arrival()
        finally:
            alarm.cancel()
        return True
