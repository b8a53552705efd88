"""The one thread that writes: all turns that are waiting go into one transaction."""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from flowyard.errors import BackendUnavailable
from flowyard.history import encode_events
from flowyard.models import ReusePolicy, WorkflowStatus
from flowyard_engine.lease import Lease
from flowyard_engine.queries import QUERIES as Q
from flowyard_engine.queries import for_rows
from flowyard_engine.store import Commit, LeaseLost, Message, Outcome, Record

T = TypeVar("T")

_MOST_ITEMS = 100
_MOST_ROWS = 256
# How often an idle owner looks whether another process has written, in seconds.
_LOOK_INTERVAL = 0.1


class _Turn(NamedTuple):
    commit: Commit
    done: Callable[[Outcome], None]


class _Job(NamedTuple):
    run: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(self, connection: sqlite3.Connection, lease: Lease) -> None:
        self._connection = connection
        self._lease = lease
        self._is_stopped = False
        self._queue: queue.SimpleQueue[list[_Turn] | _Job | None] = queue.SimpleQueue()
        self._turns: list[_Turn] = []
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="flowyard-writer", daemon=True)
        self._data_version = -1
        self._look_at = 0.0
        self.on_foreign_write: Callable[[], None] = lambda: None
        """Called on the event loop when another process has written."""
        self.on_lease_lost: Callable[[], None] = lambda: None
        """Called on the event loop when another process has become the owner."""

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Write what is queued, then end the thread."""
        self._is_stopped = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, commit: Commit, done: Callable[[Outcome], None]) -> None:
        """Have a turn written; `done` is called on the event loop."""
        if not self._turns:
            # All turns of one round of the loop go over together: waking the thread at the first
            # would make the two wait for each other at every other.
            self._loop.call_soon(self._hand_over)
        self._turns.append(_Turn(commit, done))

    def _hand_over(self) -> None:
        if self._turns:
            turns, self._turns = self._turns, []
            self._queue.put(turns)

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in a transaction of its own, after what is queued before it."""
        if self._is_stopped:
            raise BackendUnavailable("the component was closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._hand_over()
        self._queue.put(_Job(job, future))
        return await future

    def _run(self) -> None:
        connection = self._connection
        try:
            while True:
                turns: list[_Turn] = []
                for item in self._take():
                    if isinstance(item, list):
                        turns += item
                        continue
                    self._write_turns(connection, turns)
                    turns = []
                    if item is None:
                        return
                    self._write_job(connection, item)
                self._write_turns(connection, turns)
                if time.monotonic() >= self._look_at:
                    self._look(connection)
        finally:
            connection.close()

    def _take(self) -> list[list[_Turn] | _Job | None]:
        """Return all that is queued, nothing if nothing comes for a while."""
        items: list[list[_Turn] | _Job | None] = []
        with suppress(queue.Empty):
            items.append(self._queue.get(timeout=_LOOK_INTERVAL))
            while len(items) < _MOST_ITEMS:
                items.append(self._queue.get_nowait())
        return items

    def _look(self, connection: sqlite3.Connection) -> None:
        """Notice what other processes have written, and keep the lease."""
        self._look_at = time.monotonic() + _LOOK_INTERVAL
        try:
            if self._lease.fence is not None and time.monotonic() >= self._lease.renew_at:
                connection.execute("BEGIN IMMEDIATE")
                holds = self._lease.holds(connection)
                connection.execute("COMMIT")
                if not holds:
                    self._loop.call_soon_threadsafe(self.on_lease_lost)
            version = connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            # A disk in trouble shows in the next write, whose caller is told.
            _roll_back(connection)
            return
        if version != self._data_version:
            self._data_version = version
            self._loop.call_soon_threadsafe(self.on_foreign_write)

    def _write_job(self, connection: sqlite3.Connection, job: _Job) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = job.run(connection)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - it belongs to who asked for the job
            _roll_back(connection)
            self._loop.call_soon_threadsafe(_fail, job.future, _explain(error))
        else:
            self._loop.call_soon_threadsafe(_resolve, job.future, result)

    def _write_turns(self, connection: sqlite3.Connection, turns: list[_Turn]) -> None:
        if not turns:
            return
        outcomes = [Outcome() for _ in turns]
        try:
            connection.execute("BEGIN IMMEDIATE")
            if self._lease.holds(connection):
                write(connection, [turn.commit for turn in turns], outcomes)
                connection.execute("COMMIT")
            else:
                connection.execute("ROLLBACK")
                error = LeaseLost("another process has become the owner of the file")
                outcomes = [Outcome(error) for _ in turns]
                self._loop.call_soon_threadsafe(self.on_lease_lost)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the thread must go on
            _roll_back(connection)
            if len(turns) > 1:
                # What one turn cannot write must not fail the others.
                for turn in turns:
                    self._write_turns(connection, [turn])
                return
            outcomes = [Outcome(_explain(failure)) for _ in turns]
        done = [(turn.done, outcome) for turn, outcome in zip(turns, outcomes, strict=True)]
        self._loop.call_soon_threadsafe(_call_all, done)


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
        if commit.children or commit.messages or (commit.closes and record.parent_id):
            written.append((commit, outcome))
    execute_rows(connection, Q["update_instance"], updates)
    execute_rows(connection, Q["insert_history"], history)
    connection.executemany(Q["delete_history"], retired)
    if consumed:
        connection.execute(Q["delete_taken_messages"], (json.dumps(consumed),))
    if closed:
        connection.execute(Q["delete_messages_of"], (json.dumps(closed),))
    # Last: what these wake must stay awake, whatever the rows above say of it.
    for commit, outcome in written:
        for child, message in commit.children:
            taken = insert(connection, child, ReusePolicy.REPLACE_CLOSED)
            if taken is None:
                insert_message(connection, message)
            else:
                outcome.refused_children[child.id] = taken
        for message in commit.messages:
            if connection.execute(Q["active"], (message.instance_id,)).fetchone() is not None:
                insert_message(connection, message)
        if commit.closes and commit.record.parent_id:
            connection.execute(Q["wake_instance"], (commit.record.parent_id,))


def _insert_new(
    connection: sqlite3.Connection, commits: list[Commit], outcomes: list[Outcome]
) -> None:
    rows = [_row(commit.record) for commit in commits if commit.is_new]
    if execute_rows(connection, Q["insert_instance"], rows) == len(rows):
        return
    for commit, outcome in zip(commits, outcomes, strict=True):
        if commit.is_new:
            run = connection.execute(Q["run"], (commit.record.id,)).fetchone()[0]
            if run != commit.record.run:
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
    old = connection.execute(Q["instance"], (record.id,)).fetchone()
    status = WorkflowStatus(old[3])
    if not status.is_closed or reuse is ReusePolicy.REJECT:
        return status
    delete(connection, record.id, old[1])
    connection.execute(Q["insert_instance"], row)
    return None


def _row(record: Record) -> tuple[object, ...]:
    return (
        record.id,
        record.run,
        record.workflow,
        record.status,
        record.created_at,
        record.wake_at,
        record.parent_id,
        record.custom_status,
        record.stalled,
    )


def delete(connection: sqlite3.Connection, instance_id: str, run: int) -> None:
    """Remove an instance with its history and messages."""
    connection.execute(Q["delete_history"], (run,))
    connection.execute(Q["delete_messages"], (instance_id,))
    connection.execute(Q["delete_instance"], (instance_id,))


def insert_message(connection: sqlite3.Connection, message: Message) -> None:
    """Store a message and set its ID."""
    row = (message.instance_id, message.due_at, encode_events([message.event]))
    message.id = connection.execute(Q["insert_message"], row).lastrowid or 0


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _explain(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        unavailable = BackendUnavailable(f"the database could not be written: {error}")
        unavailable.__cause__ = error
        return unavailable
    return error


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _call_all(done: list[tuple[Callable[[Outcome], None], Outcome]]) -> None:
    for callback, outcome in done:
        callback(outcome)
