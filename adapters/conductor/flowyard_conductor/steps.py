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
from flowyard_conductor.definitions import KEPT_STEPS
from flowyard_conductor.instances import Json
from flowyard_conductor.live import Live
from flowyard_conductor.mailbox import Mailbox
from flowyard_conductor.names import Names
from flowyard_conductor.outbox import HOLD_MICROSECONDS, Outbox
from flowyard_conductor.records import Outcome, Record, new_cid, too_large, too_many
from flowyard_conductor.roster import Roster
from flowyard_conductor.rounds import rounds_of
from flowyard_conductor.stalls import Stalls
from flowyard_conductor.tasks import Hold, Tasks
from flowyard_conductor.turns import News, Turns, outcome_of
from flowyard_conductor.waking import LOOKS_AFTER_SECONDS, Waking

# Where as many steps were lost one after the other, what the server may forget is told again.
_MOST_LOST = KEPT_STEPS // 6

# The same after as many that had nothing to add.
_MOST_WITHOUT_BASE = 2 * KEPT_STEPS // 3

# How long the result of an activity is not on the server because a worker has the turn that takes
# it, or none has come for it, in seconds.
_LONGEST_UNRECORDED = 1.0

Spawn: TypeAlias = Callable[[Coroutine[object, object, object]], None]


class Steps:
    """Does the steps that this process polls."""

    def __init__(
        self,
        roster: Roster,
        tasks: Tasks,
        turns: Turns,
        outbox: Outbox,
        mailbox: Mailbox,
        waking: Waking,
        stalls: Stalls,
        names: Names,
        nudge: Callable[[str], None],
        is_full: Callable[[], bool],
        lend_slot: Callable[[], AbstractContextManager[None]],
        executor: Executor,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._roster = roster
        self._tasks = tasks
        self._turns = turns
        self._outbox = outbox
        self._mailbox = mailbox
        self._waking = waking
        self._stalls = stalls
        self._names = names
        self._nudge = nudge
        self._is_full = is_full
        self._lend_slot = lend_slot
        self._executor = executor
        self._clock = clock
        self._spawn = spawn

    async def run(self, task: Json) -> Json | None:
        """Do a step, and return the next task that the server hands out."""
        live: Live | None = None
        answered: list[tuple[str, int]] = []
        try:
            async with self._tasks.hold(task) as hold:
                live = await self._roster.at(task)
                if live is None:
                    return None
                sides = set(live.sides)
                async with live.lock:
                    record = await self._record(live, task, answered)
            if record is None:
                self._roster.drop(live)
                nothing = {"rounds": rounds_of(int(task["iteration"]))}
                return await self._tasks.complete(task, nothing)
            return await self._commit(live, task, record, hold, answered, sides)
        except BaseException:
            # The journal may be ahead of what is committed.
            if live is not None:
                self._roster.drop(live)
            raise

    async def _record(
        self, live: Live, task: Json, answered: list[tuple[str, int]]
    ) -> Record | None:
        """Return what the step puts out; note the activity that it has run."""
        if live.outcome is not None:
            return Record(cid=live.cid, custom_status=live.custom_status, outcome=live.outcome)
        iteration = int(task["iteration"])
        is_lossy = (
            iteration - live.iteration > _MOST_LOST or iteration - live.base > _MOST_WITHOUT_BASE
        )
        if live.fused is not None and live.fused in live.journal.tasks:
            if is_lossy:
                return self._told_again(live)
            if iteration == live.iteration + 1 or not await self._turns.is_ended(live):
                if task["taskType"] == self._names.activity:
                    return await self._act(live, iteration, answered)
                if self._is_full():
                    return self._told_again(live)
                with self._lend_slot():
                    return await self._act(live, iteration, answered)
        await self._outbox.await_start(live)
        came = await self._outbox.perform(live)
        if is_lossy:
            return self._told_again(live, came)
        if live.journal.completion is not None:
            return Record(cid=live.cid, custom_status=live.custom_status, outcome=outcome_of(live))
        news = await self._turns.gather(live, came)
        while live.has_mail or (
            not news.events and not news.mail and not live.backlog and await self._hold(live)
        ):
            # Mail that came meanwhile may pause the instance, or end it.
            news = await self._turns.gather(live, came)
        record = await self._turns.take(live, news, iteration)
        if record is not None and record.stalled is not None:
            await self._stalls.note(live, record.stalled)
        return record

    async def _act(
        self, live: Live, iteration: int, answered: list[tuple[str, int]]
    ) -> Record | None:
        """Run the activity that is all the code waits for, and the turn that follows."""
        assert live.fused is not None  # noqa: S101
        started = live.journal.started
        execution_id = started.execution_id if started is not None else ""
        scheduled = live.journal.tasks[live.fused]
        begun = time.monotonic()
        event = await run_scheduled(self._executor, live.instance_id, execution_id, scheduled)
        answered.append((execution_id, scheduled.id))
        before = Record(
            cid=new_cid(),
            custom_status=live.custom_status,
            stalled=live.stalled,
            kept=[*live.kept, event],
            sides=live.sides,
        )
        if live.has_mail or time.monotonic() - begun > LOOKS_AFTER_SECONDS:
            news = await self._turns.gather(live, [event])
        else:
            news = News([event])
        record = await self._turns.take(live, news, iteration, patience=_LONGEST_UNRECORDED)
        if record is None:
            # The result is committed by itself: the turn that takes it has yet to be taken, and
            # who takes it reads the instance again.
            self._roster.drop(live)
            return before
        if record.stalled is not None:
            await self._stalls.note(live, record.stalled)
        return record

    def _told_again(self, live: Live, came: Sequence[HistoryEvent] = ()) -> Record:
        """Return all that was as one record, of which nothing is new."""
        again = Record(
            cid=live.cid,
            events=live.journal.history,
            is_base=True,
            mail=live.mail,
            custom_status=live.custom_status,
            backlog=live.backlog or None,
            children=live.children,
            sides=live.sides,
            stalled=live.stalled,
            kept=[*live.kept, *came],
            is_done=True,
        )
        if live.fused is None:
            return again
        scheduled = live.journal.tasks[live.fused]
        return replace(
            again,
            next="activity",
            fused=live.fused,
            activity=scheduled.name,
            input=scheduled.input,
        )

    async def _hold(self, live: Live) -> bool:
        """Wait for a timer that is due soon, or for something to come; False if nothing will."""
        due = live.next_due()
        if live.signal.is_set():
            return True
        left = (due if due is not None else NEVER) - self._clock.now()
        if left > HOLD_MICROSECONDS:
            return False
        alarm = self._clock.call_at(due or 0, live.signal.set)
        try:
            await live.signal.wait()
        finally:
            alarm.cancel()
        return True

    async def _commit(
        self,
        live: Live,
        task: Json,
        record: Record,
        hold: Hold,
        answered: Sequence[tuple[str, int]],
        sides: Set[str],
    ) -> Json | None:
        iteration = int(task["iteration"])
        output = record.to_output(iteration)
        failure = too_large(output)
        if failure is None and record.outcome is None:
            failure = too_many(iteration)
        if failure is not None:
            # The server would lose the record, and the step be done again and again.
            ended = Outcome(WorkflowStatus.FAILED, None, failure, None)
            record = Record(cid=record.cid, outcome=ended, mail=record.mail)
            output = record.to_output(iteration)
        came = {one.key: one for one in live.letters}
        execution_id = live.journal.started.execution_id if live.journal.started else ""
        follows = self._names.activity if record.next == "activity" else self._names.step
        is_over = record.outcome is not None or record.next == "gate"
        live.is_settled.clear()
        try:
            following = await self._tasks.complete(
                task,
                output,
                takes_next=not is_over and follows == task["taskType"],
            )
            for ended_in, task_id in answered:
                # Also where the server has dropped it: it has given the activity to somebody else.
                recorded(self._executor, live.instance_id, ended_in, task_id)
            if record.outcome is not None or record.backlog is not None:
                closed(self._executor, live.instance_id, execution_id)
            if not hold.is_sure:
                # Too late, the server drops an update and says that all is well.
                self._roster.drop(live)
                return following
            live.note(record, iteration)
            if record.backlog is not None:
                live.pending_execution = execution_id
                live.results.clear()
                live.begin((), record.backlog)
        finally:
            live.is_settled.set()
        if not is_over and following is None:
            self._nudge(follows)
        if record.mail:
            taken = [came[key] for key in record.mail if key in came]
            self._spawn(self._mailbox.remove(taken))
        if record.outcome is not None:
            # Should this process die now, the watch of the parent finds out.
            self._spawn(self._outbox.tell_parent(live, record.outcome))
            for side in live.sides:
                if record.outcome.status is WorkflowStatus.TERMINATED:
                    self._spawn(self._outbox.end_side(side))
                else:
                    self._spawn(self._outbox.end_watch(side))
        for side in sides - live.sides.keys():
            self._spawn(self._outbox.end_watch(side))
        if record.outcome is not None or record.stalled is not None:
            self._roster.drop(live)
        elif live.is_parked:
            await self._settle(live)
        return following

    async def _settle(self, live: Live) -> None:
        """See to it that an instance at its gate is woken in time."""
        if live.signal.is_set():
            await self._waking.open_gate(live)
            return
        due = live.next_due()
        if live.alarm is not None:
            live.alarm.cancel()
            live.alarm = None
        if due is not None:
            iteration = live.iteration

            def ring() -> None:
                if live.is_parked and live.iteration == iteration:
                    self._spawn(self._waking.open_gate(live))

            live.alarm = self._clock.call_at(due, ring)
