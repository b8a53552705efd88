"""Mutants of how events and results are kept until an instance takes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import pytest

from flowyard.backend.history import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    decode_events,
)
from flowyard.backend.journal import Journal
from flowyard.failure import FailureDetails
from flowyard_engine import commits, sqlite, writes
from flowyard_engine.instance import Batch, Entry, Instance
from flowyard_engine.queries import QUERIES
from flowyard_engine.store import Message, Record

_MOST_KNOWN = 8
# Nothing is looked for because a result waits for it.
_UNFINISHED = """
SELECT id FROM instances WHERE wake_at = 0
UNION SELECT instance_id FROM messages WHERE due_at <= ? AND execution_id IS NULL;
"""


def consumed_is_counted_too_early(patch: pytest.MonkeyPatch) -> None:
    """Fault 1: what is stored while a turn is out is not deleted with it."""

    class EarlyBatch(Batch):
        early: Sequence[int] = ()

        @property
        def consumed(self) -> list[int]:
            return list(self.early)

    take = Instance.take

    def take_early(instance: Instance) -> Batch:
        batch = take(instance)
        return EarlyBatch(batch.entries, batch.admitted, batch.redundant, batch.consumed)

    patch.setattr(Instance, "take", take_early)


def children_wake_their_parents(patch: pytest.MonkeyPatch) -> None:
    """Fault 2: a child's commit has its parent wake, which the parent's own overwrites."""
    insert_message = writes.insert_message

    def wake(connection: sqlite3.Connection, message: Message) -> None:
        insert_message(connection, message)
        if message.id and isinstance(message.event, (ChildCompleted, ChildFailed)):
            sql = "UPDATE instances SET wake_at = 0 WHERE id = ?"
            connection.execute(sql, (message.instance_id,))

    put = Instance.put

    def put_and_note(instance: Instance, entry: Entry) -> None:
        if isinstance(entry.event, (ChildCompleted, ChildFailed)):
            instance.record.wake_at = 0  # so the next turn has it written anew
        put(instance, entry)

    patch.setattr(Instance, "put", put_and_note)
    patch.setattr(writes, "insert_message", wake)
    patch.setitem(QUERIES, "unfinished", _UNFINISHED)


def known_messages_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Fault 3: an instance knows only its newest messages, and takes those before for new ones.

    It was the newest 10,000; of 8 it is seen sooner.
    """

    def know(instance: Instance, message_id: int) -> None:
        instance.known = set(sorted({*instance.known, message_id})[-_MOST_KNOWN:])

    patch.setattr(Instance, "know", know)


def messages_lose_their_execution(patch: pytest.MonkeyPatch) -> None:
    """Fault 85: a result is stored without its execution, and the next one takes it."""

    def message_of(record: Record, entry: Entry) -> Message:
        return Message(record.id, entry.event, record.birth, entry.due_at)

    patch.setattr(commits, "_message_of", message_of)


def ends_of_children_are_read_from_them(patch: pytest.MonkeyPatch) -> None:
    """Fault 92: a parent that is read asks how its children ended, which may be purged already."""
    messages_of = sqlite._messages

    def asked(reader: sqlite3.Connection, record: Record) -> list[Message]:
        children = Journal(record.id, _history_of(reader, record.run)).children
        messages = messages_of(reader, record)
        for message in messages:
            if isinstance(message.event, ChildCompleted) and message.event.task_id in children:
                child = children[message.event.task_id]
                if _completion_of(reader, child) is None:
                    text = f"child instance '{child.instance_id}' was purged"
                    message.event = ChildFailed(child.id, FailureDetails("InstanceNotFound", text))
        return messages

    patch.setattr(sqlite, "_messages", asked)


def _history_of(reader: sqlite3.Connection, run: int) -> list[HistoryEvent]:
    batches = reader.execute(QUERIES["history"], (run,)).fetchall()
    return [event for (blob,) in batches for event in decode_events(blob)]


def _completion_of(reader: sqlite3.Connection, child: ChildCreated) -> ExecutionCompleted | None:
    """Return the end of a child; None if it is active or not there."""
    found = sqlite._record(reader, child.instance_id)
    if found is None or not found.status.is_closed:
        return None
    events = _history_of(reader, found.run)
    started = next((event for event in events if isinstance(event, ExecutionStarted)), None)
    if started is None or started.parent is None or started.parent.task_id != child.id:
        return None
    return next(event for event in events if isinstance(event, ExecutionCompleted))
