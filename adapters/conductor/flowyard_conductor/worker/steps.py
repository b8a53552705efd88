"""Steps: one after the other they move an instance on. A step is a turn, or an activity with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeAlias

from flowyard.backend import (
    NEVER,
    Clock,
    Executor,
    HistoryEvent,
    WorkflowStatus,
    closed,
    recorded,
    run_scheduled,
)
from flowyard_conductor.api.names import Names
from flowyard_conductor.api.tasks import Hold, Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.definitions import KEPT_STEPS
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.loop_condition import iterations_of
from flowyard_conductor.hosted.outbox import HOLD_MICROSECONDS, Outbox
from flowyard_conductor.hosted.records import Outcome, Record, new_record_id, too_large, too_many
from flowyard_conductor.hosted.stalled import Stalled
from flowyard_conductor.hosted.turns import News, Turns, outcome_of
from flowyard_conductor.hosted.wakeups import LOOKS_AFTER_SECONDS, Wakeups
from flowyard_conductor.instances import Json

# Where as many steps were lost one after the other, what the server may forget is told again.
_MOST_LOST = KEPT_STEPS // 6

# The same after as many that had nothing to add.
_MOST_WITHOUT_BASE = 2 * KEPT_STEPS // 3

# How long the result of an activity is not on the server because a worker has the turn that takes
# it, or none has come for it, in seconds.
_LONGEST_UNRECORDED_SECONDS = 1.0

Spawn: TypeAlias = Callable[[Coroutine[object, object, object]], None]


class Steps:
    """Does the steps that this process polls."""

    def __init__(
        self,
        cache: InstanceCache,
        tasks: Tasks,
        turns: Turns,
        outbox: Outbox,
        inbox: Inbox,
        wakeups: Wakeups,
        stalled: Stalled,
        names: Names,
        nudge: Callable[[str], None],
        is_full: Callable[[], bool],
        lend_slot: Callable[[], AbstractContextManager[None]],
        executor: Executor,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._cache = cache
        self._tasks = tasks
        self._turns = turns
        self._outbox = outbox
        self._inbox = inbox
        self._wakeups = wakeups
        self._stalled = stalled
        self._names = names
        self._nudge = nudge
        self._is_full = is_full
        self._lend_slot = lend_slot
        self._executor = executor
        self._clock = clock
        self._spawn = spawn

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
                nothing = {"iterations": iterations_of(int(task["iteration"]))}
                return await self._tasks.complete(task, nothing)
            return await self._commit(instance, task, record, hold, answered, side_workflows)
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
        if instance.fused is not None and instance.fused in instance.journal.tasks:
            if is_lossy:
                return self._told_again(instance)
            if iteration == instance.iteration + 1 or not await self._turns.is_ended(instance):
                if task["taskType"] == self._names.activity:
                    return await self._act(instance, iteration, answered)
                if self._is_full():
                    return self._told_again(instance)
                with self._lend_slot():
                    return await self._act(instance, iteration, answered)
        await self._outbox.await_start(instance)
        came = await self._outbox.perform(instance)
        if is_lossy:
            return self._told_again(instance, came)
        if instance.journal.completion is not None:
            return Record(
                record_id=instance.record_id,
                custom_status=instance.custom_status,
                outcome=outcome_of(instance),
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
        if record is not None and record.stalled is not None:
            await self._stalled.note(instance, record.stalled)
        return record

    async def _act(
        self, instance: HostedInstance, iteration: int, answered: list[tuple[str, int]]
    ) -> Record | None:
        """Run the activity that is all the code waits for, and the turn that follows."""
        assert instance.fused is not None  # noqa: S101
        started = instance.journal.started
        execution_id = started.execution_id if started is not None else ""
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
        if record.stalled is not None:
            await self._stalled.note(instance, record.stalled)
        return record

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
        if instance.signal.is_set():
            return True
        left = (due if due is not None else NEVER) - self._clock.now()
        if left > HOLD_MICROSECONDS:
            return False
        alarm = self._clock.call_at(due or 0, instance.signal.set)
        try:
            await instance.signal.wait()
        finally:
            alarm.cancel()
        return True

    async def _commit(
        self,
        instance: HostedInstance,
        task: Json,
        record: Record,
        hold: Hold,
        answered: Sequence[tuple[str, int]],
        side_workflows: Set[str],
    ) -> Json | None:
        iteration = int(task["iteration"])
        output = record.to_output(iteration)
        failure = too_large(output)
        if failure is None and record.outcome is None:
            failure = too_many(iteration)
        if failure is not None:
            # The server would lose the record, and the step be done again and again.
            ended = Outcome(WorkflowStatus.FAILED, None, failure, None)
            record = Record(record_id=record.record_id, outcome=ended, messages=record.messages)
            output = record.to_output(iteration)
        came = {one.key: one for one in instance.seen_messages}
        execution_id = instance.journal.started.execution_id if instance.journal.started else ""
        follows = self._names.activity if record.next == "activity" else self._names.step
        is_over = record.outcome is not None or record.next == "wait"
        instance.is_settled.clear()
        try:
            following = await self._tasks.complete(
                task,
                output,
                takes_next=not is_over and follows == task["taskType"],
            )
            for ended_in, task_id in answered:
                # Also where the server has dropped it: it has given the activity to somebody else.
                recorded(self._executor, instance.instance_id, ended_in, task_id)
            if record.outcome is not None or record.backlog is not None:
                closed(self._executor, instance.instance_id, execution_id)
            if not hold.is_sure:
                # Too late, the server drops an update and says that all is well.
                self._cache.drop(instance)
                return following
            instance.note(record, iteration)
            if record.backlog is not None:
                instance.pending_execution = execution_id
                instance.results.clear()
                instance.begin((), record.backlog)
        finally:
            instance.is_settled.set()
        if not is_over and following is None:
            self._nudge(follows)
        if record.messages:
            taken = [came[key] for key in record.messages if key in came]
            self._spawn(self._inbox.remove(taken))
        if record.outcome is not None:
            # Should this process die now, the watchdog of the parent finds out.
            self._spawn(self._outbox.tell_parent(instance, record.outcome))
            for side in instance.side_workflows:
                if record.outcome.status is WorkflowStatus.TERMINATED:
                    self._spawn(self._outbox.end_side(side))
                else:
                    self._spawn(self._outbox.end_watchdog(side))
        for side in side_workflows - instance.side_workflows.keys():
            self._spawn(self._outbox.end_watchdog(side))
        if record.outcome is not None or record.stalled is not None:
            self._cache.drop(instance)
        elif instance.is_parked:
            await self._settle(instance)
        return following

    async def _settle(self, instance: HostedInstance) -> None:
        """See to it that an instance that waits is woken in time."""
        if instance.signal.is_set():
            await self._wakeups.end_wait(instance)
            return
        due = instance.next_due()
        if instance.alarm is not None:
            instance.alarm.cancel()
            instance.alarm = None
        if due is not None:
            iteration = instance.iteration

            def ring() -> None:
                if instance.is_parked and instance.iteration == iteration:
                    self._spawn(self._wakeups.end_wait(instance))

            instance.alarm = self._clock.call_at(due, ring)
