"""What commits say in SQL: rows of instances, history and messages, within a transaction."""

from __future__ import annotations

import json
import sqlite3

from flowyard.backend import ExecutionTerminated, ReusePolicy, WorkflowStatus, encode_events
from flowyard_engine.commits import refused_child
from flowyard_engine.queries import QUERIES as Q
from flowyard_engine.queries import for_rows
from flowyard_engine.store import Child, Commit, Message, Outcome, Record

_MOST_ROWS = 256


def write(connection: sqlite3.Connection, commits: list[Commit], outcomes: list[Outcome]) -> None:
    """Write commits within a transaction, each as its outcome then tells."""
    _insert_new(connection, commits, outcomes)
    history: list[tuple[object, ...]] = []
    updates: list[tuple[object, ...]] = []
    retired: list[tuple[int]] = []
    consumed: list[int] = []
    closed: list[str] = []
    written: list[tuple[Commit, Outcome]] = []
    for commit, outcome in zip(commits, outcomes, strict=True):
        if outcome.taken is not None:
            continue
        record = commit.record
        if commit.events:
            history.append((record.run, commit.turn, commit.at, encode_events(commit.events)))
        if commit.updates and not commit.is_new:
            updates.append(_row(record))
        if commit.retired_run is not None:
            retired.append((commit.retired_run,))
        if commit.consumed:
            consumed += commit.consumed
        if commit.closes:
            closed.append(record.id)
        if commit.children or commit.messages or commit.ends_children is not None:
            written.append((commit, outcome))
    execute_rows(connection, Q["update_instance"], updates)
    execute_rows(connection, Q["insert_history"], history)
    connection.executemany(Q["delete_history"], retired)
    if consumed:
        connection.execute(Q["delete_taken_messages"], (json.dumps(consumed),))
    if closed:
        connection.execute(Q["delete_messages_of"], (json.dumps(closed),))
    # Last: what closes with them takes no messages any more, and its ID is free.
    for commit, outcome in written:
        others: list[Message] = []
        for child in commit.children:
            if (status := _insert_child(connection, commit.record, child)) is not None:
                outcome.refused[child.task_id] = status
                if (refusal := refused_child(child, status)) is not None:
                    others.append(refusal)
        if commit.ends_children is not None:
            others += _terminations(connection, commit.record, commit.ends_children)
        for message in (*commit.messages, *others):
            insert_message(connection, message)
        outcome.messages = others


def _insert_child(
    connection: sqlite3.Connection, parent: Record, child: Child
) -> WorkflowStatus | None:
    if child.record.id == parent.id:
        return parent.status  # it would take the row of who asks for it
    taken = insert(connection, child.record, ReusePolicy.REPLACE_CLOSED)
    if taken is None:
        insert_message(connection, child.message)
    return taken


def _terminations(
    connection: sqlite3.Connection, parent: Record, termination: ExecutionTerminated
) -> list[Message]:
    rows = connection.execute(Q["children"], (parent.id, parent.birth)).fetchall()
    return [
        Message(child_id, termination, birth)
        for child_id, birth, _, status in rows
        if not WorkflowStatus(status).is_closed
    ]


def _insert_new(
    connection: sqlite3.Connection, commits: list[Commit], outcomes: list[Outcome]
) -> None:
    rows = [_row(commit.record) for commit in commits if commit.is_new]
    if execute_rows(connection, Q["insert_instance"], rows) == len(rows):
        return
    for commit, outcome in zip(commits, outcomes, strict=True):
        if commit.is_new:
            birth = connection.execute(Q["birth"], (commit.record.id,)).fetchone()[0]
            if birth != commit.record.birth:
                outcome.taken = insert(connection, commit.record, commit.reuse)


def execute_rows(connection: sqlite3.Connection, query: str, rows: list[tuple[object, ...]]) -> int:
    """Run an INSERT for many rows in few statements; returns how many rows it changed.

    SQLite lets other threads run Python during a statement, not between two: one statement a row
    (`executemany`) would make the event loop and this thread wait for each other at every row.
    """
    changed = start = 0
    while start < len(rows):
        # Powers of two, so that few different statements are prepared, and those are kept.
        size = min(1 << ((len(rows) - start).bit_length() - 1), _MOST_ROWS)
        values = [value for row in rows[start : start + size] for value in row]
        changed += connection.execute(for_rows(query, size), values).rowcount
        start += size
    return changed


def insert(
    connection: sqlite3.Connection, record: Record, reuse: ReusePolicy
) -> WorkflowStatus | None:
    """Insert an instance, replacing a closed one; returns the status of one that may not be."""
    row = _row(record)
    if connection.execute(Q["insert_instance"], row).rowcount == 1:
        return None
    _, _, run, _, status_text, *_ = connection.execute(Q["instance"], (record.id,)).fetchone()
    status = WorkflowStatus(status_text)
    if not status.is_closed or reuse is ReusePolicy.REJECT:
        return status
    delete(connection, record.id, run)
    connection.execute(Q["insert_instance"], row)
    return None


def _row(record: Record) -> tuple[object, ...]:
    return (
        record.id,
        record.birth,
        record.run,
        record.workflow,
        record.status,
        record.created_at,
        record.wake_at,
        record.parent_id,
        record.parent_birth,
        record.custom_status,
        record.stalled,
    )


def delete(connection: sqlite3.Connection, instance_id: str, run: int) -> None:
    """Remove an instance with its history and messages."""
    connection.execute(Q["delete_history"], (run,))
    connection.execute(Q["delete_messages"], (instance_id,))
    connection.execute(Q["delete_instance"], (instance_id,))


def insert_message(connection: sqlite3.Connection, message: Message) -> None:
    """Store a message and set its number, unless its instance is not active."""
    row = connection.execute(
        Q["insert_message"],
        {
            "instance_id": message.instance_id,
            "birth": message.birth,
            "due_at": message.due_at,
            "execution_id": message.execution_id,
            "event": encode_events([message.event]),
        },
    ).fetchone()
    message.id = 0
    if row is not None:
        message.id, message.birth = row
