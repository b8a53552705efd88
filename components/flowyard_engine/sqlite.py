"""The store on a SQLite file: WAL, one writer thread, reads beside it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from flowyard.errors import (
    BackendUnavailable,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InvalidRequest,
)
from flowyard.history import (
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    decode_events,
    to_microseconds,
)
from flowyard.models import InstanceQuery, ReusePolicy, WorkflowStatus
from flowyard_engine.lease import Lease
from flowyard_engine.queries import QUERIES as Q
from flowyard_engine.queries import SCHEMA
from flowyard_engine.settings import EngineSettings
from flowyard_engine.store import Commit, Loaded, Message, Outcome, Record, Snapshot
from flowyard_engine.writer import Writer, delete, insert, insert_message, write

T = TypeVar("T")

_VERSION = 1
# Another process's transactions are short; a wait this long means that one hangs.
_BUSY_SECONDS = 60.0


class SqliteStore:
    """Implements `Store`; see `open`."""

    def __init__(self, writer: Writer, lease: Lease, reader: sqlite3.Connection) -> None:
        self.writer = writer
        self._lease = lease
        self._reader = reader
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="flowyard-reader")
        self._is_closed = False

    @staticmethod
    @asynccontextmanager
    async def open(settings: EngineSettings) -> AsyncIterator[SqliteStore]:
        """Open the file, made if need be; raises `BackendUnavailable` if it cannot be used."""
        await asyncio.to_thread(_prepare, settings)
        lease = Lease(settings.lease_seconds)
        writer = Writer(_connect_patiently(settings), lease)
        reader = _connect_patiently(settings)
        store = SqliteStore(writer, lease, reader)
        writer.start()
        try:
            yield store
        finally:
            with suppress(BackendUnavailable):  # then the next owner waits for the lease to end
                await writer.run(lease.release)
            await writer.stop()
            store._is_closed = True
            store._reading.shutdown()
            reader.close()

    def submit(self, commit: Commit, done: Callable[[Outcome], None]) -> None:
        self.writer.submit(commit, done)

    async def take_lease(self) -> bool:
        return await self.writer.run(self._lease.take)

    async def create(self, record: Record, message: Message, reuse: ReusePolicy) -> None:
        def job(connection: sqlite3.Connection) -> None:
            taken = insert(connection, record, reuse)
            if taken is not None:
                raise InstanceAlreadyExists(record.id, taken)
            insert_message(connection, message)

        await self.writer.run(job)

    async def copy(self, commit: Commit) -> None:
        def job(connection: sqlite3.Connection) -> None:
            outcome = Outcome()
            write(connection, [commit], [outcome])
            if outcome.taken is not None:
                raise InstanceAlreadyExists(commit.record.id, outcome.taken)

        await self.writer.run(job)

    async def send(self, message: Message) -> WorkflowStatus:
        def job(connection: sqlite3.Connection) -> WorkflowStatus:
            row = connection.execute(Q["instance"], (message.instance_id,)).fetchone()
            if row is None:
                raise InstanceNotFound(message.instance_id)
            status = WorkflowStatus(row[3])
            if not status.is_closed:
                insert_message(connection, message)
            return status

        return await self.writer.run(job)

    async def purge(self, instance_id: str, *, recursive: bool) -> int:
        def job(connection: sqlite3.Connection) -> int:
            found = connection.execute(Q["instance"], (instance_id,)).fetchone()
            if found is None:
                raise InstanceNotFound(instance_id)
            rows = [found]
            for row in rows:
                status = WorkflowStatus(row[3])
                if not status.is_closed:
                    raise InstanceNotClosed(row[0], status)
                if recursive:
                    rows.extend(connection.execute(Q["children"], (row[0],)).fetchall())
            for row in rows:
                delete(connection, row[0], row[1])
            return len(rows)

        return await self.writer.run(job)

    async def is_waiting(self, message_id: int) -> bool:
        return await self._read(
            lambda reader: reader.execute(Q["message"], (message_id,)).fetchone() is not None
        )

    async def read(self, instance_id: str, *, payloads: bool) -> Snapshot | None:
        return await self._read(lambda reader: _snapshot(reader, instance_id, payloads))

    async def load(self, instance_id: str) -> Loaded | None:
        def load(reader: sqlite3.Connection) -> Loaded | None:
            record = _record(reader, instance_id)
            if record is None:
                return None
            batches = reader.execute(Q["history"], (record.run,)).fetchall()
            history = [event for (blob,) in batches for event in decode_events(blob)]
            return Loaded(record, history, len(batches), _messages(reader, instance_id))

        return await self._read(load)

    async def messages(self, instance_id: str) -> list[Message]:
        return await self._read(lambda reader: _messages(reader, instance_id))

    async def unfinished(self) -> list[str]:
        return await self._read(
            lambda reader: [row[0] for row in reader.execute(Q["unfinished"]).fetchall()]
        )

    async def stalled(self) -> list[str]:
        return await self._read(
            lambda reader: [row[0] for row in reader.execute(Q["stalled"]).fetchall()]
        )

    async def due(self, now: int) -> tuple[list[str], int | None]:
        def due(reader: sqlite3.Connection) -> tuple[list[str], int | None]:
            ids = [row[0] for row in reader.execute(Q["due"], (now, now)).fetchall()]
            return ids, reader.execute(Q["next_due"], (now, now)).fetchone()[0]

        return await self._read(due)

    async def _read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        def read() -> T:
            # One transaction: what is read together was true together.
            self._reader.execute("BEGIN")
            try:
                return job(self._reader)
            finally:
                self._reader.execute("COMMIT")

        if self._is_closed:
            raise BackendUnavailable("the component was closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, read)
        except sqlite3.Error as error:
            raise BackendUnavailable(f"the database could not be read: {error}") from error

    async def list(self, query: InstanceQuery) -> tuple[Sequence[Snapshot], str | None]:
        try:
            before = int(query.continuation_token) if query.continuation_token else 2**63 - 1
        except ValueError as error:
            raise InvalidRequest(
                f"continuation token {query.continuation_token!r} is not one of this component's"
            ) from error
        times = {
            name: None if time is None else to_microseconds(time)
            for name, time in (
                ("created_from", query.created_from),
                ("created_to", query.created_to),
            )
        }
        arguments = {
            "before": before,
            "workflow": query.workflow,
            "statuses": f" {' '.join(query.status)} " if query.status else None,
            "prefix": query.instance_id_prefix,
            "limit": query.page_size + 1,
            **times,
        }
        rows = await self._read(lambda reader: reader.execute(Q["list"], arguments).fetchall())
        page = rows[: query.page_size]
        token = str(page[-1][0]) if len(rows) > len(page) else None
        snapshots = []
        for _, *columns, at in page:
            record = _to_record(tuple(columns))
            snapshots.append(Snapshot(record, at or record.created_at))
        return snapshots, token


def _snapshot(reader: sqlite3.Connection, instance_id: str, payloads: bool) -> Snapshot | None:
    record = _record(reader, instance_id)
    if record is None:
        return None
    if not payloads:
        row = reader.execute(Q["last_change"], (record.run,)).fetchone()
        return Snapshot(record, row[0] if row is not None else record.created_at)
    first = reader.execute(Q["first_turn"], (record.run,)).fetchone()
    events = decode_events(first[0]) if first is not None else []
    started = next((one for one in events if isinstance(one, ExecutionStarted)), None)
    if started is None:
        # Not started yet (or paused before it was): the start waits as a message, or came later.
        waiting: list[HistoryEvent] = [one.event for one in _messages(reader, instance_id)]
        if not any(isinstance(one, ExecutionStarted) for one in waiting):
            for (blob,) in reader.execute(Q["history"], (record.run,)):
                waiting.extend(decode_events(blob))
        started = next((one for one in waiting if isinstance(one, ExecutionStarted)), None)
    last = reader.execute(Q["last_turn"], (record.run,)).fetchone()
    updated_at, completion = record.created_at, None
    if last is not None:
        updated_at = last[0]
        if record.status.is_closed:
            ended = decode_events(last[1])
            completion = next((one for one in ended if isinstance(one, ExecutionCompleted)), None)
    return Snapshot(record, updated_at, started, completion)


def _record(reader: sqlite3.Connection, instance_id: str) -> Record | None:
    row = reader.execute(Q["instance"], (instance_id,)).fetchone()
    return None if row is None else _to_record(row)


def _to_record(row: tuple[Any, ...]) -> Record:
    instance_id, run, workflow, status, *rest = row
    return Record(instance_id, run, workflow, WorkflowStatus(status), *rest)


def _messages(reader: sqlite3.Connection, instance_id: str) -> list[Message]:
    rows = reader.execute(Q["messages"], (instance_id,)).fetchall()
    return [Message(instance_id, decode_events(blob)[0], due, id_) for id_, due, blob in rows]


def _prepare(settings: EngineSettings) -> None:
    """Make the file's tables, or check that they are ours."""
    try:
        with closing(_connect_patiently(settings)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise _unusable(settings, error) from error
    if version not in (0, _VERSION):
        raise BackendUnavailable(
            f"the file {settings.path} has schema version {version}, and this version of flowyard "
            f"knows {_VERSION}: use the version of flowyard that wrote it, or another file"
        )


def _connect_patiently(settings: EngineSettings) -> sqlite3.Connection:
    """Switching to WAL ignores the busy timeout while another process does the same."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return _connect(settings)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _connect(settings: EngineSettings) -> sqlite3.Connection:
    connection = sqlite3.connect(
        settings.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _unusable(settings: EngineSettings, error: sqlite3.Error) -> BackendUnavailable:
    folder = Path(settings.path).absolute().parent
    hint = "" if folder.is_dir() else f" The folder {folder} does not exist: make it first."
    return BackendUnavailable(f"the SQLite file {settings.path} cannot be used: {error}.{hint}")
