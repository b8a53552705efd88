"""The turns of all instances of one store, on one event loop.

A turn is computed on the loop, written by the store's writer together with all others that wait,
and only then acknowledged and acted upon.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from flowyard.backend import (
    Clock,
    ExecutionStarted,
    Executor,
    FailureDetails,
    InstanceAlreadyExists,
    InstanceNotFound,
    Journal,
    Machine,
    TaskScheduled,
    TimerCreated,
    Turn,
    TurnResult,
    WorkflowStatus,
    closed,
)
from flowyard_engine import commits
from flowyard_engine.activities import Activities
from flowyard_engine.arrivals import Arrivals
from flowyard_engine.background_tasks import EngineTasks
from flowyard_engine.inbox_writer import InboxWriter
from flowyard_engine.instance import Batch, Entry, Instance
from flowyard_engine.instance_cache import InstanceCache
from flowyard_engine.recovery import Recovery
from flowyard_engine.stalled import Stalled
from flowyard_engine.state import to_state
from flowyard_engine.store import Child, Commit, LeaseLost, Message, Outcome, Snapshot, Store
from flowyard_engine.timers import Timers
from flowyard_engine.waiters import Waiters
from flowyard_engine.worker_turns import WorkerTurns

_NOTHING = TurnResult()


class Turns:
    """Goes on with instances for which something has come, and acts on what their code decides."""

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
        self._executor = executor
        self._clock = clock
        self._machine = machine
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self.background = EngineTasks(logger)
        self.activities = Activities(executor, self._activity_ended, self.background.notice)
        self.timers = Timers(clock, self._fire)
        self.waiters = Waiters()
        self.cache = InstanceCache(
            store, clock, executor, self.timers, self._resume, cached_instances
        )
        self.inbox_writer = InboxWriter(store, self._saved, self._lose)
        self._worker_turns = WorkerTurns(
            self.inbox_writer, self._conclude, self._abandon, self._begin_again
        )
        self.recovery = Recovery(
            store, clock, self.timers, self.cache, logger, self._take_up, self._resume
        )
        self.stalled = Stalled(
            store, executor, self.cache, self.recovery, self.background, self._resume
        )
        self.arrivals = Arrivals(
            store, clock, self.timers, self.recovery, self.background, self._pick_up
        )
        self.under_way = 0
        self.is_draining = self.is_stopped = False
        self.end: Exception = LeaseLost("another process owns the file")

    def stop(self, error: Exception) -> None:
        """Begin nothing more; what comes is refused with the error."""
        self.is_stopped, self.end = True, error

    def post(self, instance: Instance, entry: Entry) -> None:
        """Hand an event to an instance in memory."""
        instance.put(entry)
        self._resume(instance)

    def _resume(self, instance: Instance) -> None:
        """Go on with an instance if something has come for it, else let it rest."""
        if self.is_stopped:
            return  # a turn that was given up has left a gap: what has come after it must wait
        if instance.busy:
            if instance.waiting is not None and instance.is_terminated:
                # No code runs for a termination: it does not wait for the worker.
                instance.waiting.cancel()
            elif instance.saves and instance.unsaved:
                self.inbox_writer.save(instance)
        elif instance.saving is not None:
            pass  # `_saved` goes on with it
        elif instance.is_stalled and not instance.is_terminated:
            if instance.unsaved:
                self.cache.rouse(instance)
                self.inbox_writer.save(instance)
            else:
                self.cache.rest(instance)
        elif instance.inbox:
            self._turn(instance)
        elif instance.is_idle:
            if (commit := commits.of_rest(instance)) is None:
                self.cache.rest(instance)
                return
            instance.busy = True
            self.under_way += 1
            self._write(instance, commit, Batch(()))

    def _turn(self, instance: Instance) -> None:
        """Compute one turn over all that is in the inbox, and have it written."""
        instance.busy = True
        instance.is_stalled = instance.saves = False
        self.under_way += 1
        self.cache.rouse(instance)
        batch = instance.take()
        if not batch.admitted:
            self._write(instance, Commit(instance.record, 0, 0, (), consumed=batch.consumed), batch)
            return
        turn = instance.journal.turn(self._clock.now(), [entry.event for entry in batch.admitted])
        instance.changes = self.stalled.changes
        result: TurnResult | Awaitable[TurnResult] = _NOTHING
        if turn.runs_code:
            try:
                result = self._executor.run_turn(turn)
            except Exception as error:
                # An executor returns what its code raises; this is a fault of its own.
                self._logger.exception("a turn of instance '%s' could not be run", turn.instance_id)
                result = TurnResult(stalled=FailureDetails.of(error))
        if isinstance(result, TurnResult):
            self._conclude(instance, turn, result, batch)
        else:
            # From now on, not only once its task has begun: what comes does not wait for it.
            instance.waiting = asyncio.ensure_future(result)
            self.background.run(self._worker_turns.run(instance, turn, instance.waiting, batch))

    def _conclude(self, instance: Instance, turn: Turn, result: TurnResult, batch: Batch) -> None:
        if result.stalled is not None:
            self._stall(instance, result.stalled, batch)
        else:
            commit = commits.of_turn(instance, turn, result, batch, self._machine)
            self._write(instance, commit, batch)

    def _stall(self, instance: Instance, failure: FailureDetails, batch: Batch) -> None:
        """Keep what has come for the instance until fitting code runs it again."""
        if instance.record.status is not WorkflowStatus.STALLED:
            self._logger.warning("instance %r is STALLED: %s", instance.record.id, failure.message)
        commit, entries = self.stalled.take_back(instance, failure, batch)

        def done(outcome: Outcome) -> None:
            if outcome.error is not None or outcome.taken is not None:
                self._abandon(instance, Batch(()), outcome)
                return
            self.under_way -= 1
            instance.busy = False
            if commit is not None:
                commits.note_saved(instance, entries, commit)
            self.stalled.rest(instance)
            self.background.notice()

        if commit is None:
            done(Outcome())
        else:
            self._store.submit(commit, done)

    def _write(self, instance: Instance, commit: Commit, batch: Batch) -> None:
        def done(outcome: Outcome) -> None:
            if outcome.taken is not None or outcome.error is not None:
                self._abandon(instance, batch, outcome)
                return
            self.under_way -= 1
            instance.busy = False
            if commit.consumed:
                instance.forget(commit.consumed)
                self.arrivals.consumed(commit.consumed)
            batch.acknowledge()
            if not self.is_stopped:
                self._act(instance, commit, outcome)
            self.background.notice()

        self._store.submit(commit, done)

    def _saved(self, instance: Instance) -> None:
        """All of an inbox is stored that was to be."""
        if self.cache.get(instance.record.id) is instance:
            self._resume(instance)
        self.background.notice()

    def _lose(self, instance: Instance, outcome: Outcome) -> None:
        """The inbox of an instance could not be stored."""
        if instance.waiting is not None:
            instance.lost = outcome
            instance.waiting.cancel()
        elif outcome.error is not None:
            self._drop(instance, outcome.error)

    def _abandon(self, instance: Instance, batch: Batch, outcome: Outcome) -> None:
        """Give up a turn that was not written."""
        self.under_way -= 1
        instance.busy = False
        if outcome.taken is not None:
            self._give_way(instance, batch, outcome.taken)
        elif outcome.error is not None:
            self._drop(instance, outcome.error, *batch.entries)
        self.background.notice()

    def _begin_again(self, instance: Instance, batch: Batch) -> None:
        """Take back a turn that no worker has answered; something has come that needs none."""
        self.under_way -= 1
        instance.busy = False
        if self.is_stopped:
            batch.refuse(self.end)
        else:
            self._executor.forget(instance.record.id)
            instance.take_back(batch)
            self._resume(instance)
        self.background.notice()

    def _act(self, instance: Instance, commit: Commit, outcome: Outcome) -> None:
        """Act on what a turn has decided, now that it is written."""
        record, journal = instance.record, instance.journal
        for event in commit.events:
            kind = type(event)
            if kind is TaskScheduled:
                self._dispatch(instance, event)  # type: ignore[arg-type]
            elif kind is TimerCreated:
                self.timers.add(event.fire_at, record.id)  # type: ignore[union-attr]
        for child in commit.children:
            if (taken := outcome.refused.get(child.task_id)) is None:
                if child.message.due_at:
                    self.timers.on_disk(child.message.due_at)
                else:
                    self._begin_child(child)
            elif child.record.parent_id is None:
                text = "instance '%s' could not start '%s': an instance with that ID is %s"
                self._logger.warning(text, record.id, child.record.id, taken)
        for failed in journal.refused.values():
            instance.put(Entry(failed))
        if journal.continuation is not None:
            self.timers.forget(record.id)
            self._end_execution(instance)
            # What begins the next execution comes before what has come meanwhile.
            came, instance.inbox = instance.inbox, []
            instance.journal = Journal(record.id)
            for message in commit.messages:
                if message.instance_id == record.id:
                    instance.put(Entry.of(message))
            instance.inbox += came
        for message in (*commit.messages, *outcome.messages):
            self._pick_up(message)
        if commit.closes:
            self._close(instance, commit.at)
        else:
            self._resume(instance)

    def _end_execution(self, instance: Instance) -> None:
        """Nothing that the execution has asked for is wanted any more."""
        started = instance.journal.started
        if started is not None:
            closed(self._executor, instance.record.id, started.execution_id)

    def _close(self, instance: Instance, now: int) -> None:
        record, journal = instance.record, instance.journal
        self.cache.remove(instance)
        self.timers.forget(record.id)
        self._end_execution(instance)
        for entry in instance.inbox:
            entry.acknowledge(False)
        if record.id in self.waiters:
            self.waiters.tell(to_state(Snapshot(record, now, journal.started, journal.completion)))

    def _drop(self, instance: Instance, error: Exception, *taken: Entry) -> None:
        """Forget an instance whose turn was not written, but not what its activities returned."""
        self.cache.remove(instance)
        entries = (*taken, *instance.inbox)
        has_ended = self.is_stopped or isinstance(error, LeaseLost)
        for entry in entries:
            if has_ended or not entry.is_result:
                entry.refuse(error)
        if not has_ended:
            instance_id = instance.record.id
            self._logger.error("a turn of instance '%s' was not written: %s", instance_id, error)
            self.cache.keep_results(instance_id, [entry for entry in entries if entry.is_result])
            self.background.run(self.recovery.reload(instance_id))

    def _give_way(self, instance: Instance, batch: Batch, taken: WorkflowStatus) -> None:
        """The ID of a start is taken: what has come meanwhile is for the instance that has it."""
        self.cache.remove(instance)
        others: list[Entry] = []
        for entry in (*batch.entries, *instance.inbox):
            if isinstance(entry.event, ExecutionStarted):
                entry.refuse(InstanceAlreadyExists(instance.record.id, taken))
            else:
                others.append(entry)
        if self.is_stopped:
            for entry in others:
                entry.refuse(self.end)
        else:
            # Also where nothing has come: somebody may wait for it to close.
            self.background.run(self._take_up(instance.record.id, *others))

    def _dispatch(self, instance: Instance, scheduled: TaskScheduled) -> None:
        if self.is_draining or self.is_stopped:
            return
        started = instance.journal.started
        assert started is not None  # noqa: S101
        self.activities.run(instance.record.id, started.execution_id, scheduled)

    def _activity_ended(self, instance_id: str, entry: Entry) -> None:
        if (instance := self.cache.get(instance_id)) is not None:
            self.post(instance, entry)
        else:
            self.background.run(self._record(instance_id, entry))

    async def _record(self, instance_id: str, entry: Entry) -> None:
        """Take up the result of an activity whose instance is not in memory."""
        try:
            if await self.find(instance_id, entry) is None:
                entry.acknowledge(False)
        except Exception:
            if not self.is_stopped:
                self._logger.exception("instance '%s': a result was not taken up", instance_id)
                self.cache.keep_results(instance_id, [entry])
                await self.recovery.reload(instance_id)

    def _fire(self, now: int, due: set[str], *, on_disk: bool) -> None:
        for instance_id in due:
            instance = self.cache.get(instance_id)
            if instance is not None:
                for fired in instance.journal.due_timers(now):
                    instance.put(Entry(fired))
                self._resume(instance)
        if on_disk:
            self.background.run(self.recovery.load_due())

    def _begin_child(self, child: Child) -> None:
        # A closed holder of the ID may still be in memory, and one being read as it was before.
        live = self.cache.get(child.record.id)
        if live is not None and live.record.birth == child.record.birth:
            self._pick_up(child.message)  # read from the store before the commit's answer came
            return
        if live is not None and live.is_new:  # a start that was not written yet has lost its ID
            self._lose(live, Outcome(taken=child.record.status))
        if not self.cache.outdate(child.record.id) or live is not None:
            self.cache.add(Instance(child.record, Journal(child.record.id)))
        self._pick_up(child.message)

    def _pick_up(self, message: Message) -> None:
        """Hand a message to its instance, if it was stored."""
        if not message.id:
            return
        instance = self.cache.get(message.instance_id)
        if instance is None:
            # A read finds it in its place, before what has come directly: one that begins now, or
            # one that is under way and has to be done again.
            if not self.cache.outdate(message.instance_id):
                self.background.run(self.find(message.instance_id))
        elif instance.record.birth == message.birth:
            self.post(instance, Entry.of(message))

    async def find(self, instance_id: str, *arriving: Entry) -> Instance | None:
        """Find an active instance and hand over what arrives; None if it is closed or unknown."""
        if self.is_stopped:
            raise self.end
        instance = self.cache.get(instance_id)
        if instance is not None:
            for entry in (*self.cache.results(instance_id), *arriving):
                self.post(instance, entry)
            return instance
        return await self.cache.read(instance_id, self._dispatch, *arriving)

    async def _take_up(self, instance_id: str, *entries: Entry) -> None:
        """Go on with an instance, or tell everybody who waits for it that it is not active."""
        if await self.find(instance_id, *entries) is not None:
            return
        for entry in entries:
            entry.acknowledge(False)
        if instance_id in self.waiters:
            snapshot = await self._store.read(instance_id, payloads=True)
            if snapshot is None:
                self.waiters.fail(InstanceNotFound(instance_id), instance_id)
            elif snapshot.record.status.is_closed:
                self.waiters.tell(to_state(snapshot))
