"""The owner: runs the turns of all instances of one store on one event loop.

A turn is computed on the loop, written by the store's writer together with all others that wait,
and only then acknowledged and acted upon.
"""

from __future__ import annotations

import asyncio
import logging

from flowyard.clock import Clock
from flowyard.errors import InstanceAlreadyExists, InstanceNotFound
from flowyard.executor import Executor, Turn, TurnResult
from flowyard.history import (
    ChildCreated,
    EventRaised,
    HistoryEvent,
    Parent,
    TaskScheduled,
    TimerCreated,
)
from flowyard.journal import Journal, result_of
from flowyard.models import StartRequest, WorkflowState
from flowyard_engine import commits
from flowyard_engine.activities import Activities
from flowyard_engine.alarms import Alarms
from flowyard_engine.errands import Errands
from flowyard_engine.instance import Batch, Entry, Instance
from flowyard_engine.recovery import Recovery
from flowyard_engine.roster import Roster
from flowyard_engine.stalls import Stalls
from flowyard_engine.state import to_state
from flowyard_engine.store import Commit, LeaseLost, Message, Outcome, Record, Snapshot, Store
from flowyard_engine.waiters import Waiters
from flowyard_engine.worker_turns import WorkerTurns

_NOTHING = TurnResult()


class Engine:
    """Runs instances while its process owns the store."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        clock: Clock,
        logger: logging.Logger,
        cached_instances: int,
    ) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._errands = Errands(logger)
        self._activities = Activities(executor, self._activity_ended)
        self._alarms = Alarms(clock, self._fire)
        self._waiters = Waiters()
        self._roster = Roster(store, clock, executor, self._alarms, self._resume, cached_instances)
        self._worker_turns = WorkerTurns(store, self._conclude, self._abandon, self._begin_again)
        self._recovery = Recovery(
            store, clock, self._alarms, self._roster, logger, self._take_up, self._resume
        )
        self._stalls = Stalls(store, executor, self._roster, self._recovery, self._errands, logger)
        self._turns_under_way = 0
        self._is_stopped = False
        self._end: Exception = LeaseLost("another process owns the file")

    async def start(self, request: StartRequest) -> None:
        """Run the first turn and return when it is written."""
        if self._is_stopped:
            raise self._end
        instance_id = request.instance_id
        while self._roster.knows(instance_id):
            taken = await self._instance(instance_id)
            if taken is None:
                break
            if not taken.journal.is_closed:
                raise InstanceAlreadyExists(instance_id, taken.record.status)
            if self._roster.get(instance_id) is taken:
                await self._waiters.add(instance_id)
        record, message = commits.of_start(request, self._clock.now())
        if message.due_at:
            await self._store.create(record, message, request.reuse)
            self._alarms.on_disk(message.due_at)
            return
        instance = Instance(record, Journal(instance_id), is_new=True, reuse=request.reuse)
        self._roster.add(instance)
        ack: asyncio.Future[bool] = self._loop.create_future()
        self._post(instance, Entry(message.event, ack))
        await ack

    async def deliver(self, instance_id: str, event: HistoryEvent) -> bool | None:
        """Hand an event to an instance; None if it is not active, else whether it was admitted."""
        if isinstance(event, EventRaised) and self.is_waiting(instance_id):
            # The worker that runs the turn may be long in coming: the caller is not to wait for it.
            message = Message(instance_id, event)
            if (await self._store.send(message)).is_closed:
                return False
            self._pick_up(message)
            return True
        ack: asyncio.Future[bool] = self._loop.create_future()
        if await self._instance(instance_id, Entry(event, ack)) is None:
            return None
        return await ack

    def is_waiting(self, instance_id: str) -> bool:
        """Whether a worker is to run a turn of the instance and has not answered yet."""
        instance = self._roster.get(instance_id)
        return instance is not None and instance.waiting is not None

    async def wait(self, instance_id: str) -> WorkflowState | None:
        """Return the state once the instance has closed; None if it is not there."""
        waiter = self._waiters.add(instance_id)
        try:
            if self._roster.get(instance_id) is None:
                snapshot = await self._store.read(instance_id, payloads=True)
                if snapshot is None or snapshot.record.status.is_closed:
                    return None if snapshot is None else to_state(snapshot)
            return await waiter
        finally:
            self._waiters.remove(instance_id, waiter)

    async def idle(self) -> None:
        """Return once no turn is under way, no activity runs and nothing is being read."""
        while self._turns_under_way or self._activities or self._errands or self._roster.is_reading:
            await self._errands.progress()

    async def recover(self) -> None:
        """Take up what the last owner left unfinished."""
        unfinished = await self._store.unfinished()
        self._stalls.open()
        self._errands.run(self._recovery.load_all(unfinished))
        self._errands.run(self._recovery.load_due())

    def look_for_messages(self) -> None:
        """Another process has written: take up what it left."""
        if not self._is_stopped:
            self._errands.run(self._recovery.load_due())

    async def stop(self, error: Exception) -> None:
        """Let go of all instances, and tell everybody who waits why."""
        self._is_stopped, self._end = True, error
        self._stalls.close()
        self._alarms.cancel()
        ending = [*self._activities.cancel(), *self._errands.cancel()]
        await asyncio.gather(*ending, return_exceptions=True)
        for instance in await self._roster.close(error):
            for entry in instance.inbox:
                entry.refuse(error)
        self._waiters.fail(error)

    # Turns.

    def _post(self, instance: Instance, entry: Entry) -> None:
        instance.put(entry)
        self._resume(instance)

    def _resume(self, instance: Instance) -> None:
        """Go on with an instance if something has come for it, else let it rest."""
        if instance.busy:
            if instance.waiting is not None and instance.is_terminated:
                # No code runs for a termination: it does not wait for the worker.
                instance.waiting.cancel()
            return
        if instance.inbox:
            self._turn(instance)
        elif instance.is_idle:
            if (commit := commits.of_rest(instance)) is None:
                self._roster.rest(instance)
                return
            instance.busy = True
            self._turns_under_way += 1
            self._write(instance, commit, Batch([], []))

    def _turn(self, instance: Instance) -> None:
        """Compute one turn over all that is in the inbox, and have it written."""
        instance.busy = True
        self._turns_under_way += 1
        self._roster.rouse(instance)
        batch = instance.take()
        if not batch.admitted:
            self._write(instance, Commit(instance.record, 0, 0, (), consumed=batch.consumed), batch)
            return
        turn = instance.journal.turn(self._clock.now(), [one.event for one in batch.admitted])
        instance.changes = self._stalls.changes
        result = self._executor.run_turn(turn) if turn.runs_code else _NOTHING
        if isinstance(result, TurnResult):
            self._conclude(instance, turn, result, batch)
        else:
            # From now on, not only once the errand has begun: what comes does not wait for it.
            instance.waiting = asyncio.ensure_future(result)
            self._errands.run(self._worker_turns.run(instance, turn, instance.waiting, batch))

    def _conclude(self, instance: Instance, turn: Turn, result: TurnResult, batch: Batch) -> None:
        if result.stalled is not None:
            self._stalls.stall(instance, result.stalled, batch, self._turn_stalled)
        else:
            self._write(instance, commits.of_turn(instance, turn, result, batch), batch)

    def _write(self, instance: Instance, commit: Commit, batch: Batch) -> None:
        def done(outcome: Outcome) -> None:
            if outcome.taken is not None or outcome.error is not None:
                self._abandon(instance, batch, outcome)
                return
            self._turns_under_way -= 1
            instance.busy = False
            batch.acknowledge()
            if not self._is_stopped:
                self._act(instance, commit, outcome)
            self._errands.notice()

        self._store.submit(commit, done)

    def _abandon(self, instance: Instance, batch: Batch, outcome: Outcome) -> None:
        """Give up a turn that was not written."""
        self._turns_under_way -= 1
        instance.busy = False
        if outcome.taken is not None:
            batch.refuse(InstanceAlreadyExists(instance.record.id, outcome.taken))
            self._give_way(instance)
        elif outcome.error is not None:
            batch.refuse(outcome.error)
            self._drop(instance, outcome.error)
        self._errands.notice()

    def _begin_again(self, instance: Instance, batch: Batch) -> None:
        """Take back a turn that no worker has answered; something has come that needs none."""
        self._turns_under_way -= 1
        if self._is_stopped:
            batch.refuse(self._end)
            return
        self._roster.remove(instance)
        came = (*batch.admitted, *batch.redundant, *instance.inbox)
        self._errands.run(self._take_up(instance.record.id, *came))

    def _act(self, instance: Instance, commit: Commit, outcome: Outcome) -> None:
        """Act on what a turn has decided, now that it is written."""
        record, journal = instance.record, instance.journal
        for event in commit.events:
            kind = type(event)
            if kind is TaskScheduled:
                self._dispatch(instance, event)  # type: ignore[arg-type]
            elif kind is TimerCreated:
                self._alarms.add(event.fire_at, record.id)  # type: ignore[union-attr]
        for child, message in commit.children:
            if (taken := outcome.refused_children.get(child.id)) is None:
                self._begin_child(child, message)
            else:
                instance.put(commits.refused_child(child.id, message.event, taken))
        if journal.continuation is not None:
            # What begins the next execution comes before what has come meanwhile.
            instance.journal = Journal(record.id)
            came, instance.inbox = instance.inbox, []
            for message in commit.messages:
                if message.instance_id == record.id:
                    instance.put(Entry(message.event, message_id=message.id))
            instance.inbox += came
        for message in commit.messages:
            self._pick_up(message)
        if commit.closes:
            self._close(instance, commit.at)
        else:
            self._resume(instance)

    def _close(self, instance: Instance, now: int) -> None:
        record, journal = instance.record, instance.journal
        self._roster.remove(instance)
        for entry in instance.inbox:
            entry.acknowledge(False)
        started, completion = journal.started, journal.completion
        if record.id in self._waiters:
            self._waiters.tell(to_state(Snapshot(record, now, started, completion)))
        if started is not None and started.parent is not None and completion is not None:
            child = ChildCreated(started.parent.task_id, record.workflow, record.id, None)
            self._tell_parent(started.parent, result_of(child, completion))

    def _tell_parent(self, link: Parent, result: HistoryEvent) -> None:
        entry = Entry(result, execution_id=link.execution_id)
        parent = self._roster.get(link.instance_id)
        if parent is None:
            self._errands.run(self._instance(link.instance_id, entry))
        else:
            parent.is_woken = True  # by the child's commit
            self._post(parent, entry)

    def _turn_stalled(self) -> None:
        self._turns_under_way -= 1
        self._errands.notice()

    def _drop(self, instance: Instance, error: Exception) -> None:
        """Forget an instance whose turn was not written."""
        self._roster.remove(instance)
        for entry in instance.inbox:
            entry.refuse(error)
        instance_id = instance.record.id
        if self._is_stopped or isinstance(error, LeaseLost):
            return
        self._logger.error("a turn of instance '%s' was not written: %s", instance_id, error)
        self._errands.run(self._recovery.reload(instance_id))

    def _give_way(self, instance: Instance) -> None:
        """The ID of a start is taken: what has come meanwhile is for the instance that has it."""
        self._roster.remove(instance)
        if self._is_stopped:
            for entry in instance.inbox:
                entry.refuse(self._end)
        else:
            self._errands.run(self._take_up(instance.record.id, *instance.inbox))

    # Activities, timers, children, messages.

    def _dispatch(self, instance: Instance, scheduled: TaskScheduled) -> None:
        started = instance.journal.started
        assert started is not None  # noqa: S101
        self._activities.run(instance.record.id, started.execution_id, scheduled)

    def _activity_ended(self, instance_id: str, execution_id: str, event: HistoryEvent) -> None:
        entry = Entry(event, execution_id=execution_id)
        if (instance := self._roster.get(instance_id)) is not None:
            self._post(instance, entry)
        else:
            self._errands.run(self._record(instance_id, entry))
        self._errands.notice()

    async def _record(self, instance_id: str, entry: Entry) -> None:
        """Take up the result of an activity whose instance is not in memory."""
        try:
            await self._instance(instance_id, entry)
        except Exception:
            if not self._is_stopped:
                self._logger.exception("a result for instance '%s' was not taken up", instance_id)
                self._errands.run(self._recovery.reload(instance_id))

    def _fire(self, due: set[str], *, on_disk: bool) -> None:
        now = self._clock.now()
        for instance_id in due:
            instance = self._roster.get(instance_id)
            if instance is not None:
                instance.inbox += [Entry(fired) for fired in instance.journal.due_timers(now)]
                self._resume(instance)
        if on_disk:
            self._errands.run(self._recovery.load_due())

    def _begin_child(self, child: Record, message: Message) -> None:
        if not self._roster.knows(child.id):
            self._roster.add(Instance(child, Journal(child.id)))
        self._pick_up(message)

    def _pick_up(self, message: Message) -> None:
        """Hand a message to its instance, if it was stored."""
        if message.id:
            entry = Entry(message.event, message_id=message.id)
            if (instance := self._roster.get(message.instance_id)) is not None:
                self._post(instance, entry)
            else:
                self._errands.run(self._instance(message.instance_id, entry))

    # Instances that are not in memory.

    async def _instance(self, instance_id: str, *arriving: Entry) -> Instance | None:
        """Find an active instance and hand over what arrives; None if it is closed or unknown."""
        if self._is_stopped:
            raise self._end
        instance = self._roster.get(instance_id)
        if instance is not None:
            for entry in arriving:
                self._post(instance, entry)
            return instance
        return await self._roster.read(instance_id, self._dispatch, *arriving)

    async def _take_up(self, instance_id: str, *entries: Entry) -> None:
        """Go on with an instance, or tell everybody who waits for it that it is not active."""
        if await self._instance(instance_id, *entries) is not None:
            return
        for entry in entries:
            entry.acknowledge(False)
        if instance_id in self._waiters:
            snapshot = await self._store.read(instance_id, payloads=True)
            if snapshot is None:
                self._waiters.fail(InstanceNotFound(instance_id), instance_id)
            elif snapshot.record.status.is_closed:
                self._waiters.tell(to_state(snapshot))
