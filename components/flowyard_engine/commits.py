"""What a turn changes in the store."""

from __future__ import annotations

import time

import msgspec

from flowyard.errors import InstanceAlreadyExists
from flowyard.executor import Turn, TurnResult
from flowyard.history import (
    ChildCreated,
    ChildFailed,
    EventRaised,
    EventSent,
    ExecutionStarted,
    ExecutionTerminated,
    HistoryEvent,
    Parent,
    TimerFired,
    TurnStarted,
    to_microseconds,
)
from flowyard.identifier import new_uuid
from flowyard.models import FailureDetails, StartRequest, WorkflowStatus
from flowyard_engine.instance import Batch, Entry, Instance
from flowyard_engine.store import FIRST, Commit, Message, Record

_last_run = 0


def new_run() -> int:
    """Return a number for a new execution; unique across processes by the clock's nanoseconds."""
    global _last_run
    _last_run = max(_last_run + 1, time.time_ns())
    return _last_run


def new_execution_id() -> str:
    """Return an ID for a new execution."""
    return new_uuid().hex


def of_start(request: StartRequest, now: int) -> tuple[Record, Message]:
    """Return a new instance and the message that starts it, due at once or at its time."""
    start_at = to_microseconds(request.start_at) if request.start_at is not None else 0
    due_at = start_at if start_at > now else 0
    instance_id, workflow = request.instance_id, request.workflow
    record = Record(instance_id, new_run(), workflow, WorkflowStatus.PENDING, now, wake_at=None)
    execution_id = new_execution_id()
    started = ExecutionStarted(workflow, request.input, execution_id, None, due_at or None)
    return record, Message(instance_id, started, due_at)


def of_turn(instance: Instance, turn: Turn, result: TurnResult, batch: Batch) -> Commit:
    """Add a turn to the instance's journal and record; return what is to be written."""
    journal, record = instance.journal, instance.record
    started = turn.new[0]
    assert isinstance(started, TurnStarted)  # noqa: S101
    events = journal.commit(turn, result)
    commit = Commit(record, instance.turns, started.at, events, consumed=batch.consumed)
    instance.turns += 1
    children: list[tuple[Record, Message]] = []
    messages: list[Message] = []
    for action in result.actions:
        kind = type(action)
        if kind is ChildCreated:
            children.append(_new_child(instance, action, started.at))  # type: ignore[arg-type]
        elif isinstance(action, EventSent):
            messages.append(Message(action.instance_id, EventRaised(action.name, action.input)))
    terminated = turn.new[-1]
    if isinstance(terminated, ExecutionTerminated) and terminated.recursive:
        messages += [Message(one.instance_id, terminated) for one in journal.children.values()]
    status = journal.status
    wake_at = 0 if journal.tasks else journal.next_timer()
    if status.is_closed:
        wake_at = None
        commit.closes = True
    elif journal.continuation is not None:
        # The next execution begins with messages, so that it is there whatever happens.
        wake_at = 0
        successor = journal.successor(new_execution_id())
        messages += [Message(record.id, event, FIRST) for event in successor]
        commit.retired_run, record.run = record.run, new_run()
        commit.events = ()
        commit.updates = True
        instance.turns = 0
    custom_status = record.custom_status
    if result.custom_status is not None:
        custom_status = result.custom_status or None
    if (
        instance.is_woken
        or status is not record.status
        or wake_at != record.wake_at
        or custom_status != record.custom_status
    ):
        commit.updates = True
        record.status, record.wake_at = status, wake_at
        record.custom_status, record.stalled = custom_status, None
        instance.is_woken = False
    commit.children, commit.messages = children, messages
    commit.is_new, commit.reuse = instance.is_new, instance.reuse
    instance.is_new = False
    return commit


def of_wait(instance: Instance, batch: Batch) -> Commit | None:
    """Store what callers want to know to be stored while a worker runs the turn; None if nothing.

    Only a result of the worker goes into the history: until then these are messages.
    """
    record = instance.record
    messages = [Message(record.id, entry.event) for entry in batch.admitted if entry.is_kept]
    if not messages:
        return None
    commit = Commit(record, 0, 0, (), messages=messages)
    commit.is_new, commit.reuse = instance.is_new, instance.reuse
    instance.is_new = False
    return commit


def of_stall(instance: Instance, failure: FailureDetails, batch: Batch) -> Commit:
    """Mark an instance as stalled and keep all that has come for it."""
    record = instance.record
    record.status, record.wake_at = WorkflowStatus.STALLED, 0
    record.stalled = msgspec.json.encode(failure).decode()
    came = (*batch.admitted, *batch.redundant, *instance.inbox)
    messages = [
        Message(record.id, one.event)
        for one in came
        # A timer fires again when the instance is read again.
        if not one.message_id and not isinstance(one.event, TimerFired)
    ]
    commit = Commit(record, 0, 0, (), updates=True, messages=messages)
    commit.is_new, commit.reuse = instance.is_new, instance.reuse
    return commit


def of_rest(instance: Instance) -> Commit | None:
    """Correct when an idle instance is to be woken; None if its row says so already."""
    record = instance.record
    wake_at = instance.journal.next_timer()
    if not instance.is_woken and record.wake_at == wake_at:
        return None
    record.wake_at, instance.is_woken = wake_at, False
    return Commit(record, 0, 0, (), updates=True)


def refused_child(child_id: str, started: HistoryEvent, taken: WorkflowStatus) -> Entry:
    """Tell a parent that the ID of its child belongs to an active instance."""
    assert isinstance(started, ExecutionStarted)  # noqa: S101
    link = started.parent
    assert link is not None  # noqa: S101
    failure = FailureDetails.of(InstanceAlreadyExists(child_id, taken))
    return Entry(ChildFailed(link.task_id, failure), execution_id=link.execution_id)


def _new_child(instance: Instance, action: ChildCreated, now: int) -> tuple[Record, Message]:
    parent = instance.journal.started
    assert parent is not None  # noqa: S101
    record = Record(action.instance_id, new_run(), action.name, WorkflowStatus.PENDING, now)
    record.parent_id = instance.record.id
    link = Parent(instance.record.id, parent.execution_id, parent.workflow, action.id)
    started = ExecutionStarted(action.name, action.input, new_execution_id(), link)
    return record, Message(record.id, started)
