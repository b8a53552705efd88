"""The owner: runs the turns of all instances of one store on one event loop.

A turn is computed on the loop, written by the store's writer together with all others that wait,
and only then acknowledged and acted upon.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable

import msgspec

from flowyard.clock import Clock
from flowyard.errors import InstanceAlreadyExists
from flowyard.executor import ActivityTask, Executor, Turn, TurnResult
from flowyard.history import (
    ChildCreated,
    ChildFailed,
    ContinuedAsNew,
    EventRaised,
    EventSent,
    ExecutionStarted,
    ExecutionTerminated,
    HistoryEvent,
    Parent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    to_microseconds,
)
from flowyard.journal import Journal, result_of
from flowyard.models import FailureDetails, StartRequest, WorkflowState, WorkflowStatus
from flowyard_engine.alarms import Alarms
from flowyard_engine.instance import Entry, Instance
from flowyard_engine.state import encode_failure, to_state
from flowyard_engine.store import Commit, LeaseLost, Message, Outcome, Record, Snapshot, Store

_NOTHING = TurnResult()
# After a write that failed, the instance is read again; the disk may need a moment.
_RELOAD_SECONDS = 1.0
_last_run = 0


def new_run() -> int:
    """Return a number for a new execution; unique across processes by the clock's nanoseconds."""
    global _last_run  # noqa: PLW0603 - one sequence per process
    _last_run = max(_last_run + 1, time.time_ns())
    return _last_run


def new_execution_id() -> str:
    """Return an ID for a new execution."""
    return os.urandom(16).hex()


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
        self._cached_instances = cached_instances
        self._loop = asyncio.get_running_loop()
        self._live: dict[str, Instance] = {}
        self._loading: dict[str, asyncio.Task[Instance | None]] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._activities: dict[tuple[str, str, int], asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: dict[str, list[asyncio.Future[WorkflowState]]] = {}
        self._alarms = Alarms(clock, self._fire)
        self._turns_under_way = 0
        self._quiet: list[asyncio.Future[None]] = []
        self._is_stopped = False

    # What callers ask for.

    async def start(self, request: StartRequest) -> None:
        """Run the first turn and return when it is written."""
        instance_id = request.instance_id
        while (taken := self._live.get(instance_id)) is not None:
            if not taken.journal.is_closed:
                raise InstanceAlreadyExists(instance_id, taken.record.status)
            await self._closing(instance_id)
        now = self._clock.now()
        record = Record(instance_id, new_run(), request.workflow, WorkflowStatus.PENDING, now)
        started = ExecutionStarted(request.workflow, request.input, new_execution_id())
        if request.start_at is not None and to_microseconds(request.start_at) > now:
            due_at = to_microseconds(request.start_at)
            record.wake_at = None
            started = msgspec.structs.replace(started, start_at=due_at)
            message = Message(instance_id, started, due_at)
            await self._store.create(record, message, request.reuse)
            self._alarms.on_disk(due_at)
            return
        instance = Instance(record, Journal(instance_id), 0, is_new=True)
        self._live[instance_id] = instance
        ack: asyncio.Future[bool] = self._loop.create_future()
        instance.inbox.append(Entry(started, ack))
        self._turn(instance, request)
        await ack

    async def deliver(self, instance_id: str, event: HistoryEvent) -> bool | None:
        """Hand an event to an instance; None if it is not active, else whether it was admitted."""
        instance = self._live.get(instance_id) or await self._load(instance_id)
        if instance is None or instance.journal.is_closed:
            return None
        ack: asyncio.Future[bool] = self._loop.create_future()
        self._post(instance, Entry(event, ack))
        return await ack

    async def wait(self, instance_id: str) -> WorkflowState | None:
        """Return the state once the instance has closed; None if it is not there."""
        waiter: asyncio.Future[WorkflowState] = self._loop.create_future()
        waiters = self._waiters.setdefault(instance_id, [])
        waiters.append(waiter)
        try:
            if instance_id not in self._live:
                snapshot = await self._store.read(instance_id, payloads=True)
                if snapshot is None or snapshot.record.status.is_closed:
                    return None if snapshot is None else to_state(snapshot)
            return await waiter
        finally:
            if waiter in waiters:
                waiters.remove(waiter)
            if not waiters and self._waiters.get(instance_id) is waiters:
                del self._waiters[instance_id]

    async def idle(self) -> None:
        """Return once no turn is under way, no activity runs and nothing is being read."""
        while self._turns_under_way or self._activities or self._tasks or self._loading:
            quiet: asyncio.Future[None] = self._loop.create_future()
            self._quiet.append(quiet)
            await quiet

    async def recover(self) -> None:
        """Take up what the last owner left unfinished."""
        unfinished = await self._store.unfinished()
        if unfinished:
            self._logger.info("taking up %d unfinished instances", len(unfinished))
        self._spawn(self._load_all(unfinished))
        self._spawn(self._load_due())

    def look_for_messages(self) -> None:
        """Another process has written: take up what it left."""
        if not self._is_stopped:
            self._spawn(self._load_due())

    async def stop(self, error: Exception | None = None) -> None:
        """Let go of all instances; with an error, tell it to everybody who waits."""
        self._is_stopped = True
        self._alarms.cancel()
        cancelled = [*self._activities.values(), *self._tasks, *self._loading.values()]
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*cancelled, return_exceptions=True)
        for instance_id, instance in self._live.items():
            self._executor.forget(instance_id)
            if error is not None:
                _refuse(instance.inbox, error)
        self._live.clear()
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(error or LeaseLost("the component was closed"))

    # Turns.

    def _post(self, instance: Instance, entry: Entry) -> None:
        instance.inbox.append(entry)
        if not instance.busy:
            self._turn(instance)

    def _turn(self, instance: Instance, request: StartRequest | None = None) -> None:
        """Compute one turn over all that is in the inbox, and have it written."""
        instance.busy = True
        self._turns_under_way += 1
        if self._idle:
            self._idle.pop(instance.record.id, None)
        entries, instance.inbox = instance.inbox, []
        journal = instance.journal
        admitted = [entry for entry in entries if journal.admit(entry.event)]
        acks = [(one.ack, one in admitted) for one in entries if one.ack is not None]
        consumed = [entry.message_id for entry in entries if entry.message_id]
        if not admitted:
            commit = Commit(instance.record, 0, 0, (), consumed=consumed)
            self._submit(instance, commit, acks, ())
            return
        turn = journal.turn(self._clock.now(), [entry.event for entry in admitted])
        result = self._executor.run_turn(turn) if turn.runs_code else _NOTHING
        if isinstance(result, TurnResult):
            self._conclude(instance, turn, result, entries, acks, consumed, request)
        else:
            self._spawn(self._await_turn(instance, turn, result, entries, acks, consumed, request))

    async def _await_turn(
        self,
        instance: Instance,
        turn: Turn,
        result: Awaitable[TurnResult],
        entries: list[Entry],
        acks: list[tuple[asyncio.Future[bool], bool]],
        consumed: list[int],
        request: StartRequest | None,
    ) -> None:
        answer = await result
        self._conclude(instance, turn, answer, entries, acks, consumed, request)

    def _conclude(
        self,
        instance: Instance,
        turn: Turn,
        result: TurnResult,
        entries: list[Entry],
        acks: list[tuple[asyncio.Future[bool], bool]],
        consumed: list[int],
        request: StartRequest | None,
    ) -> None:
        if result.stalled is not None:
            self._stall(instance, result.stalled, entries, acks)
            return
        journal, record = instance.journal, instance.record
        added = journal.commit(turn, result)
        commit = Commit(record, instance.turns, turn.new[0].at, added, consumed=consumed)  # type: ignore[union-attr]
        instance.turns += 1
        children: list[tuple[Record, Message]] = []
        messages: list[Message] = []
        for action in result.actions:
            kind = type(action)
            if kind is ChildCreated:
                children.append(self._new_child(instance, action, commit.at))  # type: ignore[arg-type]
            elif kind is EventSent:
                event = EventRaised(action.name, action.input)  # type: ignore[union-attr]
                messages.append(Message(action.instance_id, event))  # type: ignore[union-attr]
        terminated = turn.new[-1]
        if isinstance(terminated, ExecutionTerminated) and terminated.recursive:
            messages += [Message(one.instance_id, terminated) for one in journal.children.values()]
        status = journal.status
        wake_at = 0 if journal.tasks else journal.next_timer()
        if status.is_closed:
            wake_at = None
            commit.closes = True
        if journal.continuation is not None:
            successor = journal.successor(new_execution_id())
            commit.retired_run, record.run = record.run, new_run()
            commit.events = ()
            commit.updates = True
            messages += [Message(record.id, event) for event in successor]
            instance.turns = 0
            wake_at = 0
        custom_status = record.custom_status
        if result.custom_status is not None:
            custom_status = result.custom_status or None
        if (
            status is not record.status
            or wake_at != record.wake_at
            or custom_status != record.custom_status
        ):
            commit.updates = True
            record.status, record.wake_at = status, wake_at
            record.custom_status, record.stalled = custom_status, None
        commit.children, commit.messages = children, messages
        if instance.is_new:
            commit.is_new = True
            instance.is_new = False
            if request is not None:
                commit.reuse = request.reuse
        self._submit(instance, commit, acks, added)

    def _new_child(
        self, instance: Instance, action: ChildCreated, now: int
    ) -> tuple[Record, Message]:
        parent = instance.journal.started
        assert parent is not None  # noqa: S101
        child_id = action.instance_id
        record = Record(child_id, new_run(), action.name, WorkflowStatus.PENDING, now)
        record.parent_id = instance.record.id
        link = Parent(instance.record.id, parent.execution_id, parent.workflow, action.id)
        started = ExecutionStarted(action.name, action.input, new_execution_id(), link)
        return record, Message(child_id, started)

    def _submit(
        self,
        instance: Instance,
        commit: Commit,
        acks: list[tuple[asyncio.Future[bool], bool]],
        added: list[HistoryEvent] | tuple[()],
    ) -> None:
        def done(outcome: Outcome) -> None:
            self._written(instance, commit, acks, added, outcome)

        self._store.submit(commit, done)

    def _written(
        self,
        instance: Instance,
        commit: Commit,
        acks: list[tuple[asyncio.Future[bool], bool]],
        added: list[HistoryEvent] | tuple[()],
        outcome: Outcome,
    ) -> None:
        """Acknowledge what a turn has settled, then act on what it decided."""
        self._turns_under_way -= 1
        instance.busy = False
        record = instance.record
        error = outcome.error
        if outcome.taken is not None:
            error = InstanceAlreadyExists(record.id, outcome.taken)
        if error is not None:
            self._drop(instance, error, acks)
            if outcome.error is not None and not isinstance(error, LeaseLost):
                self._logger.error("a turn of instance '%s' was not written: %s", record.id, error)
                self._spawn(self._reload(record.id))
            return
        for ack, admitted in acks:
            if not ack.done():
                ack.set_result(admitted)
        if self._is_stopped:
            return
        instance.messages.difference_update(commit.consumed)
        if instance.journal.continuation is not None:
            self._continue_as_new(instance, commit)
            return
        for event in added:
            kind = type(event)
            if kind is TaskScheduled:
                self._dispatch(instance, event)  # type: ignore[arg-type]
            elif kind is TimerCreated:
                self._alarms.add(event.fire_at, record.id, event.id)  # type: ignore[union-attr]
        for child, message in commit.children:
            self._begin_child(instance, child, message, outcome.refused_children.get(child.id))
        for message in commit.messages:
            self._pick_up(message)
        if commit.closes:
            self._closed(instance)
        elif instance.inbox:
            self._turn(instance)
        elif instance.is_idle:
            self._rest(instance)
        self._notice_quiet()

    def _continue_as_new(self, instance: Instance, commit: Commit) -> None:
        record = instance.record
        instance.journal = Journal(record.id)
        kept = [entry for entry in instance.inbox if _outlives_execution(entry.event)]
        for entry in instance.inbox:
            if entry.ack is not None and entry not in kept:
                entry.ack.set_result(False)
        own = [one for one in commit.messages if one.instance_id == record.id]
        instance.inbox = [Entry(one.event, None, one.id) for one in own] + kept
        instance.messages.update(one.id for one in own)
        self._turn(instance)
        self._notice_quiet()

    def _closed(self, instance: Instance) -> None:
        record, journal = instance.record, instance.journal
        self._live.pop(record.id, None)
        self._executor.forget(record.id)
        for entry in instance.inbox:
            if entry.ack is not None and not entry.ack.done():
                entry.ack.set_result(False)
        started, completion = journal.started, journal.completion
        waiters = self._waiters.pop(record.id, ())
        if waiters:
            now = journal.history[0]
            for event in journal.history:
                if hasattr(event, "at"):
                    now = event
            state = to_state(Snapshot(record, now.at, started, completion))  # type: ignore[union-attr]
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(state)
        if started is not None and started.parent is not None and completion is not None:
            self._tell_parent(started.parent, record.id, journal)

    def _tell_parent(self, link: Parent, child_id: str, journal: Journal) -> None:
        parent = self._live.get(link.instance_id)
        if parent is None:
            # Its row says that it must be woken; reading it finds the child's result.
            self._spawn(self._load_quietly(link.instance_id))
            return
        started = parent.journal.started
        child = parent.journal.children.get(link.task_id)
        if child is None or started is None or started.execution_id != link.execution_id:
            return
        assert journal.completion is not None  # noqa: S101
        parent.record.wake_at = 0  # as the child's commit has left it
        self._post(parent, Entry(result_of(child, journal.completion)))

    def _stall(
        self,
        instance: Instance,
        failure: FailureDetails,
        entries: list[Entry],
        acks: list[tuple[asyncio.Future[bool], bool]],
    ) -> None:
        """Keep what has come for the instance until fitting code runs it again."""
        record = instance.record
        self._logger.warning("instance '%s' is STALLED: %s", record.id, failure.message)
        record.status, record.wake_at = WorkflowStatus.STALLED, 0
        record.stalled = encode_failure(failure)
        kept = [Message(record.id, one.event) for one in entries if not one.message_id]
        commit = Commit(record, 0, 0, (), updates=True, messages=kept)
        commit.is_new, instance.is_new = instance.is_new, False
        self._live.pop(record.id, None)
        self._executor.forget(record.id)
        later, instance.inbox = instance.inbox, []
        commit.messages = [
            *kept,
            *(Message(record.id, one.event) for one in later if not one.message_id),
        ]
        acks = [*acks, *((one.ack, True) for one in later if one.ack is not None)]

        def done(outcome: Outcome) -> None:
            self._turns_under_way -= 1
            for ack, _ in acks:
                if not ack.done():
                    if outcome.error is None:
                        ack.set_result(True)
                    else:
                        ack.set_exception(outcome.error)
            self._notice_quiet()

        self._store.submit(commit, done)

    def _drop(
        self,
        instance: Instance,
        error: Exception,
        acks: list[tuple[asyncio.Future[bool], bool]],
    ) -> None:
        """Forget an instance whose turn was not written."""
        if self._live.get(instance.record.id) is instance:
            del self._live[instance.record.id]
        self._executor.forget(instance.record.id)
        for ack, _ in acks:
            if not ack.done():
                ack.set_exception(error)
        _refuse(instance.inbox, error)
        self._notice_quiet()

    # Activities, timers, children, messages.

    def _dispatch(self, instance: Instance, scheduled: TaskScheduled) -> None:
        started = instance.journal.started
        assert started is not None  # noqa: S101
        key = (instance.record.id, started.execution_id, scheduled.id)
        if key not in self._activities:
            task = self._loop.create_task(self._perform(key, scheduled))
            self._activities[key] = task

    async def _perform(self, key: tuple[str, str, int], scheduled: TaskScheduled) -> None:
        instance_id, execution_id, task_id = key
        task = ActivityTask(
            instance_id,
            task_id,
            scheduled.name,
            scheduled.input,
            f"{execution_id}:{scheduled.first_id}",
        )
        try:
            result = await self._executor.run_activity(task)
        finally:
            del self._activities[key]
        event: HistoryEvent
        if result.failure is None:
            event = TaskCompleted(task_id, result.output)
        else:
            event = TaskFailed(task_id, result.failure)
        instance = self._live.get(instance_id) or await self._load(instance_id)
        if instance is not None:
            started = instance.journal.started
            if started is not None and started.execution_id == execution_id:
                self._post(instance, Entry(event))
        self._notice_quiet()

    def _fire(self, due: list[tuple[str, int]], *, on_disk: bool) -> None:
        now = self._clock.now()
        for instance_id in dict.fromkeys(instance_id for instance_id, _ in due):
            instance = self._live.get(instance_id)
            if instance is not None:
                for fired in instance.journal.due_timers(now):
                    instance.inbox.append(Entry(fired))
                if instance.inbox and not instance.busy:
                    self._turn(instance)
        if on_disk:
            self._spawn(self._load_due())

    def _begin_child(
        self,
        parent: Instance,
        child: Record,
        message: Message,
        refused: WorkflowStatus | None,
    ) -> None:
        if refused is not None:
            error = InstanceAlreadyExists(child.id, refused)
            started = message.event
            assert isinstance(started, ExecutionStarted)  # noqa: S101
            assert started.parent is not None  # noqa: S101
            failed = ChildFailed(started.parent.task_id, FailureDetails.of(error))
            parent.inbox.append(Entry(failed))
            return
        if child.id in self._live or child.id in self._loading:
            self._pick_up(message)
            return
        instance = Instance(child, Journal(child.id), 0, is_new=False)
        self._live[child.id] = instance
        instance.messages.add(message.id)
        self._post(instance, Entry(message.event, None, message.id))

    def _pick_up(self, message: Message) -> None:
        """Hand a message that was just stored to its instance."""
        if not message.id:
            return
        instance = self._live.get(message.instance_id)
        if instance is None:
            self._spawn(self._load_quietly(message.instance_id))
        elif message.id not in instance.messages:
            instance.messages.add(message.id)
            self._post(instance, Entry(message.event, None, message.id))

    # Reading instances that are not in memory.

    async def _load(self, instance_id: str) -> Instance | None:
        """Bring an active instance into memory; None if it is closed or unknown."""
        if self._is_stopped:
            raise LeaseLost("the component is closing, or another process owns the file")
        loading = self._loading.get(instance_id)
        if loading is None:
            loading = self._loop.create_task(self._read(instance_id))
            self._loading[instance_id] = loading
            loading.add_done_callback(lambda _: self._loading.pop(instance_id, None))
        return await asyncio.shield(loading)

    async def _read(self, instance_id: str) -> Instance | None:
        loaded = await self._store.load(instance_id)
        if loaded is None or loaded.record.status.is_closed:
            return None
        journal = Journal(instance_id, loaded.history)
        ends: list[HistoryEvent] = []
        for child in journal.children.values():
            snapshot = await self._store.read(child.instance_id, payloads=True)
            end = _end_of(child, snapshot, journal)
            if end is not None:
                ends.append(end)
        if (live := self._live.get(instance_id)) is not None:
            return live
        instance = Instance(loaded.record, journal, loaded.turns, is_new=False)
        self._live[instance_id] = instance
        self._take_messages(instance, loaded.messages)
        answered = {
            entry.event.task_id
            for entry in instance.inbox
            if isinstance(entry.event, (TaskCompleted, TaskFailed))
        }
        for scheduled in list(journal.tasks.values()):
            if scheduled.id not in answered:
                self._dispatch(instance, scheduled)
        instance.inbox += [Entry(end) for end in ends]
        for timer in journal.timers.values():
            self._alarms.add(timer.fire_at, instance_id, timer.id)
        instance.inbox += [Entry(fired) for fired in journal.due_timers(self._clock.now())]
        if instance.inbox:
            self._turn(instance)
        else:
            self._rest(instance)
        return instance

    def _take_messages(self, instance: Instance, messages: list[Message]) -> None:
        now = self._clock.now()
        for message in messages:
            undue_start = message.due_at > now and not _has_termination(messages)
            if undue_start or message.id in instance.messages:
                continue
            instance.messages.add(message.id)
            instance.inbox.append(Entry(message.event, None, message.id))

    async def _load_all(self, instance_ids: list[str]) -> None:
        for instance_id in instance_ids:
            if instance_id not in self._live:
                await self._load(instance_id)

    async def _load_quietly(self, instance_id: str) -> None:
        await self._load(instance_id)

    async def _load_due(self) -> None:
        """Take up timers and messages of instances, in memory or not."""
        due, next_due = await self._store.due(self._clock.now())
        if next_due is not None:
            self._alarms.on_disk(next_due)
        for instance_id in due:
            instance = self._live.get(instance_id)
            if instance is None:
                await self._load(instance_id)
                continue
            messages = await self._store.messages(instance_id)
            if self._live.get(instance_id) is instance:
                self._take_messages(instance, messages)
                if instance.inbox and not instance.busy:
                    self._turn(instance)

    async def _reload(self, instance_id: str) -> None:
        await asyncio.sleep(_RELOAD_SECONDS)
        await self._load(instance_id)

    def _rest(self, instance: Instance) -> None:
        """Keep an idle instance for a while; the longest idle ones leave memory."""
        idle = self._idle
        idle[instance.record.id] = None
        while len(idle) > self._cached_instances:
            instance_id, _ = idle.popitem(last=False)
            resting = self._live.get(instance_id)
            if resting is not None and resting.is_idle:
                del self._live[instance_id]
                self._executor.forget(instance_id)
                if resting.record.wake_at:
                    self._alarms.on_disk(resting.record.wake_at)

    async def _closing(self, instance_id: str) -> None:
        waiter: asyncio.Future[WorkflowState] = self._loop.create_future()
        self._waiters.setdefault(instance_id, []).append(waiter)
        await waiter

    def _spawn(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = self._loop.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._spawned_ended)

    def _spawned_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, LeaseLost):
                self._logger.error("work of the engine failed", exc_info=error)
        self._notice_quiet()

    def _notice_quiet(self) -> None:
        if self._quiet:
            quiet, self._quiet = self._quiet, []
            for waiter in quiet:
                if not waiter.done():
                    waiter.set_result(None)


def _refuse(entries: list[Entry], error: Exception) -> None:
    for entry in entries:
        if entry.ack is not None and not entry.ack.done():
            entry.ack.set_exception(error)


def _outlives_execution(event: HistoryEvent) -> bool:
    """Results belong to the execution that asked; what comes from outside is for the instance."""
    return not hasattr(event, "task_id") and not hasattr(event, "timer_id")


def _has_termination(messages: list[Message]) -> bool:
    return any(isinstance(one.event, ExecutionTerminated) for one in messages)


def _end_of(
    child: ChildCreated, snapshot: Snapshot | None, journal: Journal
) -> HistoryEvent | None:
    """Return how an open child has ended; None while it is active."""
    assert journal.started is not None  # noqa: S101
    link = snapshot.started.parent if snapshot is not None and snapshot.started else None
    is_ours = (
        link is not None
        and link.execution_id == journal.started.execution_id
        and link.task_id == child.id
    )
    if is_ours and snapshot is not None:
        return None if snapshot.completion is None else result_of(child, snapshot.completion)
    message = (
        f"an instance with ID '{child.instance_id}' already existed when the child was to start"
        if snapshot is not None
        else f"child instance '{child.instance_id}' was purged before its result was taken up"
    )
    return ChildFailed(child.id, FailureDetails("InstanceAlreadyExists", message))


