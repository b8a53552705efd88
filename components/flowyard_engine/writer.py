"""The one thread that writes: all turns that are waiting go into one transaction."""

from __future__ import annotations

import asyncio
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
from flowyard_engine.queries import QUERIES as Q
from flowyard_engine.store import Commit, LeaseLost, Message, Outcome

T = TypeVar("T")

_MOST_ITEMS = 2000
# How often an idle owner looks whether another process has written, in seconds.
_LOOK_INTERVAL = 0.1


class Lease:
    """The ownership of the file by this process, in real time."""

    def __init__(self, seconds: float) -> None:
        self.fence: int | None = None
        self.renew_at = 0.0
        self._seconds = seconds

    def take(self, connection: sqlite3.Connection) -> bool:
        """Become the owner if the last one has let its lease run out. Runs in a transaction."""
        fence, expires_at = connection.execute(Q["fence"]).fetchone()
        if expires_at > _real_time():
            return False
        connection.execute(Q["take_lease"], (self._expiry(),))
        self.fence = fence + 1
        return True

    def holds(self, connection: sqlite3.Connection) -> bool:
        """Check inside a transaction that no other process has become the owner; renew if due."""
        if self.fence is None or connection.execute(Q["fence"]).fetchone()[0] != self.fence:
            self.fence = None
            return False
        if time.monotonic() >= self.renew_at:
            connection.execute(Q["renew_lease"], (self._expiry(), self.fence))
        return True

    def release(self, connection: sqlite3.Connection) -> None:
        """Let another process take over at once."""
        if self.fence is not None:
            connection.execute(Q["renew_lease"], (0, self.fence))
            self.fence = None

    def _expiry(self) -> int:
        self.renew_at = time.monotonic() + self._seconds / 4
        return _real_time() + int(self._seconds * 1e6)


def _real_time() -> int:
    # A test may run the engine on a virtual clock; other processes do not.
    return time.time_ns() // 1000


class _Turn(NamedTuple):
    commit: Commit
    done: Callable[[Outcome], None]


class _Job(NamedTuple):
    run: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], lease: Lease) -> None:
        self._connect = connect
        self._lease = lease
        self._queue: queue.SimpleQueue[_Turn | _Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="flowyard-writer", daemon=True)
        self._data_version = -1
        self.on_foreign_write: Callable[[], None] = lambda: None
        """Called on the event loop when another process has written."""
        self.on_lease_lost: Callable[[], None] = lambda: None
        """Called on the event loop when another process has become the owner."""

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Write what is queued, then end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, commit: Commit, done: Callable[[Outcome], None]) -> None:
        self._queue.put(_Turn(commit, done))

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in a transaction of its own, after what is queued before it."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Job(job, future))
        return await future

    def _run(self) -> None:
        connection = self._connect()
        try:
            while True:
                turns: list[_Turn] = []
                for item in self._take():
                    if isinstance(item, _Turn):
                        turns.append(item)
                        continue
                    self._write_turns(connection, turns)
                    turns = []
                    if item is None:
                        return
                    self._write_job(connection, item)
                self._write_turns(connection, turns)
                self._look(connection)
        finally:
            connection.close()

    def _take(self) -> list[_Turn | _Job | None]:
        """Return all that is queued, nothing if nothing comes for a while."""
        items: list[_Turn | _Job | None] = []
        with suppress(queue.Empty):
            items.append(self._queue.get(timeout=_LOOK_INTERVAL))
            while len(items) < _MOST_ITEMS:
                items.append(self._queue.get_nowait())
        return items

    def _look(self, connection: sqlite3.Connection) -> None:
        """Notice what other processes have written, and keep the lease."""
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
                _write(connection, [turn.commit for turn in turns], outcomes)
                connection.execute("COMMIT")
            else:
                connection.execute("ROLLBACK")
                error = LeaseLost("another process has become the owner of the file")
                outcomes = [Outcome(error) for _ in turns]
                self._loop.call_soon_threadsafe(self.on_lease_lost)
        except sqlite3.Error as failure:
            _roll_back(connection)
            outcomes = [Outcome(_explain(failure)) for _ in turns]
        done = [(turn.done, outcome) for turn, outcome in zip(turns, outcomes, strict=True)]
        self._loop.call_soon_threadsafe(_call_all, done)


def _write(connection: sqlite3.Connection, commits: list[Commit], outcomes: list[Outcome]) -> None:
    history: list[tuple[object, ...]] = []
    updates: list[tuple[object, ...]] = []
    retired: list[tuple[int]] = []
    consumed: list[tuple[int]] = []
    closed: list[tuple[str]] = []
    written: list[tuple[Commit, Outcome]] = []
    for commit, outcome in zip(commits, outcomes, strict=True):
        record = commit.record
        if commit.is_new:
            outcome.taken = insert(connection, commit)
            if outcome.taken is not None:
                continue
        elif commit.updates:
            updates.append(
                (
                    record.run,
                    record.status,
                    record.wake_at,
                    record.custom_status,
                    record.stalled,
                    record.id,
                )
            )
        if commit.events:
            history.append((record.run, commit.turn, commit.at, encode_events(commit.events)))
        if commit.retired_run is not None:
            retired.append((commit.retired_run,))
        if commit.consumed:
            consumed.extend((message,) for message in commit.consumed)
        if commit.closes:
            closed.append((record.id,))
        if commit.children or commit.messages or (commit.closes and record.parent_id):
            written.append((commit, outcome))
    if updates:
        connection.executemany(Q["update_instance"], updates)
    if history:
        connection.executemany(Q["insert_history"], history)
    if retired:
        connection.executemany(Q["delete_history"], retired)
    if consumed:
        connection.executemany(Q["delete_message"], consumed)
    if closed:
        connection.executemany(Q["delete_messages"], closed)
    # Last: what these wake must stay awake, whatever the rows above say of it.
    for commit, outcome in written:
        for child, message in commit.children:
            taken = insert(connection, Commit(child, 0, 0, ()))
            if taken is None:
                insert_message(connection, message)
            else:
                outcome.refused_children[child.id] = taken
        for message in commit.messages:
            if connection.execute(Q["instance"], (message.instance_id,)).fetchone() is not None:
                insert_message(connection, message)
        if commit.closes and commit.record.parent_id:
            connection.execute(Q["wake_instance"], (commit.record.parent_id,))


def insert(connection: sqlite3.Connection, commit: Commit) -> WorkflowStatus | None:
    """Insert an instance, replacing a closed one; returns the status of one that may not be."""
    record = commit.record
    row = (
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
    if connection.execute(Q["insert_instance"], row).rowcount == 1:
        return None
    old = connection.execute(Q["instance"], (record.id,)).fetchone()
    status = WorkflowStatus(old[3])
    if not status.is_closed or commit.reuse is ReusePolicy.REJECT:
        return status
    delete(connection, record.id, old[1])
    connection.execute(Q["insert_instance"], row)
    return None


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
