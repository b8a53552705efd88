"""The owner: runs the turns of all instances of one store on one event loop.

A turn is computed on the loop, written by the store's writer together with all others that wait,
and only then acknowledged and acted upon.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from flowyard.clock import Clock
from flowyard.errors import InstanceAlreadyExists, InstanceNotFound
from flowyard.executor import Executor, Turn, TurnResult
from flowyard.history import (
    ChildCreated,
    EventRaised,
    ExecutionStarted,
    ExecutionTerminated,
    HistoryEvent,
    Parent,
    TaskScheduled,
    TimerCreated,
    to_microseconds,
)
from flowyard.journal import Journal, result_of
from flowyard.models import FailureDetails, StartRequest, WorkflowState, WorkflowStatus
from flowyard_engine import commits
from flowyard_engine.activities import Activities
from flowyard_engine.alarms import Alarms
from flowyard_engine.errands import Errands
from flowyard_engine.instance import Batch, Entry, Instance
from flowyard_engine.roster import Roster
from flowyard_engine.state import to_state
from flowyard_engine.store import Commit, LeaseLost, Message, Outcome, Record, Snapshot, Store
from flowyard_engine.waiters import Waiters

_NOTHING = TurnResult()
# After a write that failed, the instance is read again; the disk may need a moment.
_RELOAD_SECONDS = 1.0
# A worker that is there and has nothing else to do answers sooner; then one commit does for the
# turn and for what callers wait for.
_WORKER_SECONDS = 0.02


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
        self._turns_under_way = 0
        self._is_stopped = False
        self._end: Exception = LeaseLost("another process owns the file")

    async def start(self, request: StartRequest) -> None:
        """Run the first turn and return when it is written."""
        instance_id = request.instance_id
        while self._roster.knows(instance_id):
            taken = await self._instance(instance_id)
            if taken is None:
                break
            if not taken.journal.is_closed:
                raise InstanceAlreadyExists(instance_id, taken.record.status)
            await self._waiters.add(instance_id)
        now = self._clock.now()
        record = Record(
            instance_id, commits.new_run(), request.workflow, WorkflowStatus.PENDING, now
        )
        started = ExecutionStarted(request.workflow, request.input, commits.new_execution_id())
        if request.start_at is not None and (due_at := to_microseconds(request.start_at)) > now:
            record.wake_at = None
            started = msgspec.structs.replace(started, start_at=due_at)
            await self._store.create(record, Message(instance_id, started, due_at), request.reuse)
            self._alarms.on_disk(due_at)
            return
        instance = Instance(record, Journal(instance_id), is_new=True, reuse=request.reuse)
        self._roster.add(instance)
        ack: asyncio.Future[bool] = self._loop.create_future()
        self._post(instance, Entry(started, ack))
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
        if unfinished:
            self._logger.info("taking up %d unfinished instances", len(unfinished))
        self._errands.run(self._load_all(unfinished))
        self._errands.run(self._load_due())

    def look_for_messages(self) -> None:
        """Another process has written: take up what it left."""
        if not self._is_stopped:
            self._errands.run(self._load_due())

    async def stop(self, error: Exception) -> None:
        """Let go of all instances, and tell everybody who waits why."""
        self._is_stopped, self._end = True, error
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
            if instance.waiting is not None and _ends(instance.inbox):
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
        result = self._executor.run_turn(turn) if turn.runs_code else _NOTHING
        if isinstance(result, TurnResult):
            self._conclude(instance, turn, result, batch)
        else:
            instance.waiting = asyncio.ensure_future(result)
            self._errands.run(self._await_turn(instance, turn, instance.waiting, batch))

    async def _await_turn(
        self, instance: Instance, turn: Turn, waiting: asyncio.Future[TurnResult], batch: Batch
    ) -> None:
        """Conclude a turn that a worker runs, however long that takes."""
        try:
            await asyncio.wait({waiting}, timeout=_WORKER_SECONDS)
            if not waiting.done() and not await self._keep(instance, batch):
                return
            result = await waiting
        except asyncio.CancelledError:
            if not self._is_stopped:
                self._turns_under_way -= 1
                self._begin_again(instance, batch)
                return
            batch.refuse(self._end)
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to who waits, and the turn is repeated
            self._turns_under_way -= 1
            batch.refuse(error)
            self._drop(instance, error)
            return
        finally:
            waiting.cancel()
            instance.waiting = None
        self._conclude(instance, turn, result, batch)

    async def _keep(self, instance: Instance, batch: Batch) -> bool:
        """Make durable what callers wait for, ahead of the worker; False if it cannot be."""
        commit = commits.of_wait(instance, batch)
        if commit is None:
            return True
        written: asyncio.Future[Outcome] = self._loop.create_future()

        def done(outcome: Outcome) -> None:
            if not written.done():
                written.set_result(outcome)

        self._store.submit(commit, done)
        outcome = await written
        if outcome.taken is None and outcome.error is None:
            instance.keep(batch.admitted, list(commit.messages))
            return True
        self._turns_under_way -= 1
        if outcome.taken is not None:
            batch.refuse(InstanceAlreadyExists(instance.record.id, outcome.taken))
            self._give_way(instance)
        elif outcome.error is not None:
            batch.refuse(outcome.error)
            self._drop(instance, outcome.error)
        self._errands.notice()
        return False

    def _begin_again(self, instance: Instance, batch: Batch) -> None:
        """Take back a turn that no worker has answered; something has come that needs none."""
        self._roster.remove(instance)
        came = (*batch.admitted, *batch.redundant, *instance.inbox)
        self._errands.run(self._take_up(instance.record.id, *came))

    def _conclude(self, instance: Instance, turn: Turn, result: TurnResult, batch: Batch) -> None:
        if result.stalled is not None:
            self._stall(instance, result.stalled, batch)
        else:
            self._write(instance, commits.of_turn(instance, turn, result, batch), batch)

    def _write(self, instance: Instance, commit: Commit, batch: Batch) -> None:
        def done(outcome: Outcome) -> None:
            self._turns_under_way -= 1
            instance.busy = False
            if outcome.taken is not None:
                batch.refuse(InstanceAlreadyExists(instance.record.id, outcome.taken))
                self._give_way(instance)
            elif outcome.error is not None:
                batch.refuse(outcome.error)
                self._drop(instance, outcome.error)
            else:
                batch.acknowledge()
                if not self._is_stopped:
                    self._act(instance, commit, outcome)
            self._errands.notice()

        self._store.submit(commit, done)

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

    def _stall(self, instance: Instance, failure: FailureDetails, batch: Batch) -> None:
        """Keep what has come for the instance until fitting code runs it again."""
        if instance.record.status is not WorkflowStatus.STALLED:
            self._logger.warning("'%s' is STALLED: %s", instance.record.id, failure.message)
        commit = commits.of_stall(instance, failure, batch)
        batch.admitted += instance.inbox
        instance.inbox = []
        self._roster.remove(instance)

        def done(outcome: Outcome) -> None:
            self._turns_under_way -= 1
            if outcome.error is None:
                batch.acknowledge()
            else:
                batch.refuse(outcome.error)
            self._errands.notice()

        self._store.submit(commit, done)

    def _drop(self, instance: Instance, error: Exception) -> None:
        """Forget an instance whose turn was not written."""
        self._roster.remove(instance)
        for entry in instance.inbox:
            entry.refuse(error)
        instance_id = instance.record.id
        if self._is_stopped or isinstance(error, LeaseLost):
            return
        self._logger.error("a turn of instance '%s' was not written: %s", instance_id, error)
        self._errands.run(self._reload(instance_id))

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

    async def _activity_ended(
        self, instance_id: str, execution_id: str, event: HistoryEvent
    ) -> None:
        try:
            await self._instance(instance_id, Entry(event, execution_id=execution_id))
        except Exception:
            if not self._is_stopped:
                self._logger.exception("a result for instance '%s' was not taken up", instance_id)
                self._errands.run(self._reload(instance_id))
        self._errands.notice()

    def _fire(self, due: set[str], *, on_disk: bool) -> None:
        now = self._clock.now()
        for instance_id in due:
            instance = self._roster.get(instance_id)
            if instance is not None:
                instance.inbox += [Entry(fired) for fired in instance.journal.due_timers(now)]
                self._resume(instance)
        if on_disk:
            self._errands.run(self._load_due())

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

    async def _load_all(self, instance_ids: list[str]) -> None:
        for instance_id in instance_ids:
            try:
                await self._instance(instance_id)
            except LeaseLost:
                raise
            except Exception:
                # One that cannot be read does not stop the others.
                self._logger.exception("instance '%s' cannot be read", instance_id)

    async def _load_due(self) -> None:
        """Take up timers and messages of instances, in memory or not."""
        due, next_due = await self._store.due(self._clock.now())
        if next_due is not None:
            self._alarms.on_disk(next_due)
        for instance_id in due:
            instance = self._roster.get(instance_id)
            messages = await self._store.messages(instance_id) if instance is not None else []
            if instance is not None and self._roster.get(instance_id) is instance:
                self._roster.put_due(instance, messages)
                self._resume(instance)
            else:
                await self._load_all([instance_id])

    async def _reload(self, instance_id: str) -> None:
        while True:
            await asyncio.sleep(_RELOAD_SECONDS)
            try:
                return await self._take_up(instance_id)
            except LeaseLost:
                raise
            except Exception:
                self._logger.exception("instance '%s' cannot be read", instance_id)


def _ends(inbox: list[Entry]) -> bool:
    """Whether a termination has come, for which no code runs."""
    return any(isinstance(entry.event, ExecutionTerminated) for entry in inbox)
