"""Mutants of who belongs to whom: walks over children."""

from __future__ import annotations

import sqlite3

import pytest

from flowyard.backend.history import ExecutionTerminated, decode_events
from flowyard.backend.journal import Journal
from flowyard.errors import InstanceNotClosed, InstanceNotFound
from flowyard_engine import sqlite, writes
from flowyard_engine.queries import QUERIES
from flowyard_engine.sqlite import SqliteStore
from flowyard_engine.store import Message, Record

# Whoever has the ID of a parent is taken for it.
_CHILDREN = "SELECT id FROM instances WHERE parent_id = ?"


def purges_walk_in_circles(patch: pytest.MonkeyPatch) -> None:
    """Fault 4: a purge does not remember where it was: with a circle of parents it never ends."""

    async def purge(store: SqliteStore, instance_id: str, *, recursive: bool) -> int:
        def job(connection: sqlite3.Connection) -> int:
            found = sqlite._record(connection, instance_id)
            if found is None:
                raise InstanceNotFound(instance_id)
            doomed = [found]
            for record in doomed:
                if not record.status.is_closed:
                    raise InstanceNotClosed(record.id, record.status)
                rows = connection.execute(_CHILDREN, (record.id,))
                for (child_id,) in rows.fetchall() if recursive else ():
                    child = sqlite._record(connection, child_id)
                    assert child is not None
                    doomed.append(child)
            for record in doomed:
                writes.delete(connection, record.id, record.run)
            return len(doomed)

        return await store._writer.run(job)

    patch.setattr(SqliteStore, "purge", purge)


def refused_children_are_terminated(patch: pytest.MonkeyPatch) -> None:
    """Fault 89: a termination goes to whoever has the ID of a refused child."""

    def terminations(
        connection: sqlite3.Connection, parent: Record, termination: ExecutionTerminated
    ) -> list[Message]:
        rows = connection.execute(QUERIES["history"], (parent.run,)).fetchall()
        journal = Journal(parent.id, [event for (blob,) in rows for event in decode_events(blob)])
        return [Message(child.instance_id, termination) for child in journal.children.values()]

    patch.setattr(writes, "_terminations", terminations)
