"""What a turn changes in the store."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from flowyard.backend import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    EventRaised,
    EventSent,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    FailureDetails,
    InstanceAlreadyExists,
    Journal,
    Machine,
    Parent,
    StartRequest,
    Turn,
    TurnResult,
    TurnStarted,
    WorkflowStatus,
    result_for_parent,
    to_microseconds,
)
from flowyard_engine.instance import Batch, Entry, Instance
from flowyard_engine.store import FIRST, Child, Commit, Message, Record

_PAUSES = (ExecutionSuspended, ExecutionResumed)


def new_record(instance_id: str, workflow: str, now: int, machine: Machine) -> Record:
    """Return a new holder of an ID."""
    run = machine.new_number()
    return Record(instance_id, run, run, workflow, WorkflowStatus.PENDING, now)


def of_start(request: StartRequest, now: int, machine: Machine) -> tuple[Record, Message]:
    """Return a new instance and the message that starts it, due at once or at its time."""
    start_at = to_microseconds(request.start_at) if request.start_at is not None else 0
    due_at = start_at if start_at > now else 0
    instance_id, workflow = request.instance_id, request.workflow
    record = new_record(instance_id, workflow, now, machine)
    record.wake_at = None
    execution_id = machine.new_uuid().hex
    started = ExecutionStarted(workflow, request.input, execution_id, None, due_at or None)
    return record, Message(instance_id, started, record.birth, due_at)


def of_turn(
    instance: Instance, turn: Turn, result: TurnResult, batch: Batch, machine: Machine
) -> Commit:
    """Add a turn to the instance's journal and record; return what is to be written."""
    journal, record = instance.journal, instance.record
    started = turn.new[0]
    assert isinstance(started, TurnStarted)  # noqa: S101
    events = journal.commit(turn, result)
    consumed = batch.consumed if instance.known else ()
    commit = Commit(record, instance.turns, started.at, events, consumed=consumed)
    instance.turns += 1
    children: list[Child] = []
    messages: list[Message] = []
    for action in result.actions:
        if isinstance(action, ChildCreated):
            if action.refused is None:
                children.append(new_child(record, journal, action, started.at, machine))
        elif isinstance(action, EventSent):
            messages.append(Message(action.instance_id, EventRaised(action.name, action.input)))
    terminated = turn.new[-1]
    if isinstance(terminated, ExecutionTerminated) and terminated.recursive:
        commit.ends_children = terminated
    # What only waits is not folded in: if the process ends now, nobody knows of it.
    status = instance.stored_status
    wake_at = 0 if journal.tasks or journal.refused else _next_timer(journal)
    if status.is_closed:
        wake_at = None
        commit.closes = True
        if (end := _end_for_parent(instance)) is not None:
            messages.append(end)
    elif journal.continuation is not None:
        # The next execution begins with messages, so that it is there whatever happens. They come
        # before what this one has sent to itself.
        wake_at = 0
        successor = journal.successor(machine.new_uuid().hex)
        if not journal.suspended and instance.has_stored_pause:
            # It was acknowledged: the next execution begins paused, and runs no turn before it.
            successor.insert(0, ExecutionSuspended())
        messages[:0] = [Message(record.id, event, record.birth, FIRST) for event in successor]
        commit.retired_run, record.run = record.run, machine.new_number()
        commit.events = ()
        commit.updates = True
        instance.turns = 0
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
        _insert_if_new(instance, commit)
    return commit


def of_inbox(instance: Instance) -> Commit:
    """Store what callers wait for to be stored, before a turn has taken it up.

    Only what a turn decides goes into the history: until then these are messages.
    """
    record = instance.record
    commit = Commit(record, 0, 0, ())
    commit.messages = [_message_of(record, entry) for entry in instance.unsaved]
    if any(type(entry.event) in _PAUSES for entry in instance.unsaved):
        status = instance.status
        if record.status not in {status, WorkflowStatus.STALLED}:
            record.status, commit.updates = status, True
    _insert_if_new(instance, commit)
    return commit


def of_stall(instance: Instance, failure: FailureDetails) -> Commit | None:
    """Mark an instance as stalled and store what has come for it; None if all that is so."""
    record = instance.record
    stalled = msgspec.json.encode(failure).decode()
    commit = of_inbox(instance)
    if record.status is not WorkflowStatus.STALLED or record.stalled != stalled:
        record.status, record.wake_at, record.stalled = WorkflowStatus.STALLED, 0, stalled
        commit.updates = True
    return commit if commit.updates or commit.messages or commit.is_new else None


def note_saved(instance: Instance, entries: Sequence[Entry], commit: Commit) -> None:
    """Note that entries are stored as the messages of a commit, and tell who waits for that."""
    for entry, message in zip(entries, commit.messages, strict=True):
        entry.message_id = message.id
        instance.know(message.id)
        entry.acknowledge(entry.changes)


def of_rest(instance: Instance) -> Commit | None:
    """Correct when an idle instance is to be woken; None if its row says so already."""
    record = instance.record
    wake_at = _next_timer(instance.journal)
    if record.wake_at == wake_at:
        return None
    record.wake_at = wake_at
    return Commit(record, 0, 0, (), updates=True)


def refused_child(child: Child, taken: WorkflowStatus) -> Message | None:
    """Tell a parent that the ID of its child belongs to an active instance."""
    started = child.message.event
    assert isinstance(started, ExecutionStarted)  # noqa: S101
    link = started.parent
    if link is None:
        return None
    failure = FailureDetails.of(InstanceAlreadyExists(child.record.id, taken))
    return _to_parent(child.record, link, ChildFailed(link.task_id, failure))


def _insert_if_new(instance: Instance, commit: Commit) -> None:
    commit.is_new, commit.reuse = instance.is_new, instance.reuse
    instance.is_new = False


def _message_of(record: Record, entry: Entry) -> Message:
    return Message(record.id, entry.event, record.birth, entry.due_at, entry.execution_id)


def _end_for_parent(instance: Instance) -> Message | None:
    """Return what tells the parent's execution how its child has ended."""
    record, journal = instance.record, instance.journal
    link = journal.started.parent if journal.started is not None else None
    if link is None or journal.completion is None:
        return None
    return _to_parent(record, link, result_for_parent(link, record.id, journal.completion))


def _to_parent(child: Record, link: Parent, event: ChildCompleted | ChildFailed) -> Message:
    birth = child.parent_birth or 0
    return Message(link.instance_id, event, birth, execution_id=link.execution_id)


def new_child(
    parent: Record, journal: Journal, action: ChildCreated, now: int, machine: Machine
) -> Child:
    """Return a new child, or a detached instance, and the message that starts it."""
    started = journal.child_started(action, machine.new_uuid().hex)
    record = new_record(action.instance_id, action.name, now, machine)
    if not action.detached:
        record.parent_id, record.parent_birth = parent.id, parent.birth
    due_at = action.start_at if action.start_at is not None and action.start_at > now else 0
    if due_at:
        record.wake_at = None
    return Child(record, Message(record.id, started, record.birth, due_at), action.id)


def _next_timer(journal: Journal) -> int | None:
    """Return when the earliest timer fires; 0 in `wake_at` says something else."""
    earliest = journal.next_timer()
    return None if earliest is None else max(earliest, 1)
