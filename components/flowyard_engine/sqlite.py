"""The store on a SQLite file: WAL, one thread that writes, and two that read beside it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol, TypeVar

import msgspec

from flowyard.backend import (
    SYSTEM,
    BackendUnavailable,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    FlowyardError,
    HistoryEvent,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InstanceQuery,
    InvalidRequest,
    Machine,
    ReusePolicy,
    WorkflowStatus,
    decode_events,
    suspended_after,
    to_microseconds,
)
from flowyard_engine.file import check_version, connect, prepare
from flowyard_engine.lease import Lease
from flowyard_engine.open_file import OpenFile
from flowyard_engine.queries import QUERIES as Q
from flowyard_engine.reader import Reader
from flowyard_engine.settings import EngineSettings
from flowyard_engine.store import (
    Arrived,
    Commit,
    Loaded,
    Message,
    Outcome,
    Record,
    Snapshot,
    Unfinished,
)
from flowyard_engine.transactions import Transactions
from flowyard_engine.writer import Writer
from flowyard_engine.writes import delete, insert, insert_message, write

T = TypeVar("T")
_logger = logging.getLogger("flowyard.component.engine")


class Writes(Protocol):
    """Who runs what changes the file, in the order in which it is asked for."""

    def listen(self, woken: Callable[[], None], lost: Callable[[], None]) -> None: ...

    def submit(self, commit: Commit, done: Callable[[Outcome], None]) -> None: ...

    async def run(
        self, job: Callable[[sqlite3.Connection], T], written: Callable[[T], None] = ...
    ) -> T: ...


class Reads(Protocol):
    """Who runs what only reads, each job in a transaction."""

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T: ...


class SqliteStore:
    """Implements `Store`; see `open`."""

    def __init__(
        self,
        settings: EngineSettings,
        writer: Writes,
        lease: Lease,
        reader: Reads,
        scanner: Reads,
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._lease = lease
        self._reader = reader
        self._scanner = scanner
        """Reads what may take long; nobody who asks for one instance waits for that."""

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: EngineSettings, logger: logging.Logger = _logger, machine: Machine = SYSTEM
    ) -> AsyncIterator[SqliteStore]:
        """Open the file, made if need be; raises `BackendUnavailable` if it cannot be used."""
        await asyncio.to_thread(prepare, settings, machine)
        connection = await asyncio.to_thread(connect, settings)
        file = OpenFile(settings.path)
        lease = Lease(settings.lease_seconds, machine)
        transactions = Transactions(connection, lease, file, settings, machine, logger)
        writer = Writer(transactions, machine, logger)
        reader = await asyncio.to_thread(Reader, settings, file)
        scanner = await asyncio.to_thread(Reader, settings, file)
        store = SqliteStore(settings, writer, lease, reader, scanner)
        writer.start()
        try:
            yield store
        finally:
            if lease.fence is not None:
                with suppress(BackendUnavailable):  # then the next owner waits for it to end
                    await writer.run(lease.release)
            await writer.stop()
            reader.close()
            scanner.close()

    def listen(self, woken: Callable[[], None], lost: Callable[[], None]) -> None:
        self._writer.listen(woken, lost)

    def submit(self, commit: Commit, done: Callable[[Outcome], None]) -> None:
        self._writer.submit(commit, done)

    async def take_lease(self) -> bool:
        def take(connection: sqlite3.Connection) -> int | None:
            check_version(connection, self._settings)
            return self._lease.take(connection)

        fence = await self._writer.run(take, self._lease.take_effect)
        return fence is not None

    async def create(self, record: Record, message: Message, reuse: ReusePolicy) -> None:
        def job(connection: sqlite3.Connection) -> None:
            taken = insert(connection, record, reuse)
            if taken is not None:
                raise InstanceAlreadyExists(record.id, taken)
            insert_message(connection, message)

        await self._writer.run(job)

    async def copy(self, commit: Commit) -> None:
        def job(connection: sqlite3.Connection) -> None:
            outcome = Outcome()
            write(connection, [commit], [outcome])
            if outcome.taken is not None:
                raise InstanceAlreadyExists(commit.record.id, outcome.taken)

        await self._writer.run(job)

    async def send(self, message: Message) -> WorkflowStatus:
        def job(connection: sqlite3.Connection) -> WorkflowStatus:
            record = _record(connection, message.instance_id)
            if record is None:
                raise InstanceNotFound(message.instance_id)
            status = record.status
            if isinstance(message.event, (ExecutionSuspended, ExecutionResumed)):
                status = _folded_status(status, _messages(connection, record))
            insert_message(connection, message)
            return status

        return await self._writer.run(job)

    async def purge(self, instance_id: str, *, recursive: bool) -> int:
        def job(connection: sqlite3.Connection) -> int:
            found = _record(connection, instance_id)
            if found is None:
                raise InstanceNotFound(instance_id)
            status = found.status
            doomed = {instance_id: (found.birth, found.run, status)}
            queue = [instance_id]
            for parent_id in queue:
                birth, _, status = doomed[parent_id]
                if not status.is_closed:
                    raise InstanceNotClosed(parent_id, status)
                children = (
                    connection.execute(Q["children"], (parent_id, birth)) if recursive else ()
                )
                for child_id, child_birth, run, child_status in children:
                    # A family may be a circle.
                    if child_id not in doomed:
                        doomed[child_id] = child_birth, run, WorkflowStatus(child_status)
                        queue.append(child_id)
            for doomed_id, (_, run, _) in doomed.items():
                delete(connection, doomed_id, run)
            return len(doomed)

        return await self._writer.run(job)

    async def is_waiting(self, message_id: int) -> bool:
        return await self._reader.run(
            lambda reader: reader.execute(Q["message"], (message_id,)).fetchone() is not None
        )

    async def read(self, instance_id: str, *, payloads: bool) -> Snapshot | None:
        def read(reader: sqlite3.Connection) -> Snapshot | None:
            with _decoding(instance_id):
                return _snapshot(reader, instance_id, payloads)

        return await self._reader.run(read)

    async def load(self, instance_id: str) -> Loaded | None:
        def load(reader: sqlite3.Connection) -> Loaded | None:
            with _decoding(instance_id):
                record = _record(reader, instance_id)
                if record is None:
                    return None
                batches = reader.execute(Q["history"], (record.run,)).fetchall()
                history = [event for (blob,) in batches for event in decode_events(blob)]
                return Loaded(record, history, len(batches), _messages(reader, record))

        return await self._reader.run(load)

    async def unfinished(self, now: int) -> Unfinished:
        def unfinished(reader: sqlite3.Connection) -> Unfinished:
            ids = [row[0] for row in reader.execute(Q["unfinished"], (now,)).fetchall()]
            newest = reader.execute(Q["newest_message"]).fetchone()
            return Unfinished(ids, newest[0] if newest is not None else 0)

        return await self._scanner.run(unfinished)

    async def arrived(self, seen: int) -> Arrived:
        def arrived(reader: sqlite3.Connection) -> Arrived:
            rows = reader.execute(Q["arrived"], (seen,)).fetchall()
            copies = [row[0] for row in reader.execute(Q["copies"]).fetchall()]
            messages = []
            for row in rows:
                try:
                    with _decoding(row[1]):
                        messages.append(_to_message(*row))
                except FlowyardError as error:
                    # What is there for other instances must not wait for it.
                    _logger.error("message %d cannot be read, and is skipped: %s", row[0], error)  # noqa: TRY400
            return Arrived(messages, copies)

        return await self._scanner.run(arrived)

    async def stalled(self) -> list[str]:
        return await self._scanner.run(
            lambda reader: [row[0] for row in reader.execute(Q["stalled"]).fetchall()]
        )

    async def due(self, now: int) -> tuple[list[str], int | None]:
        def due(reader: sqlite3.Connection) -> tuple[list[str], int | None]:
            ids = [row[0] for row in reader.execute(Q["due"], (now, now)).fetchall()]
            return ids, reader.execute(Q["next_due"], (now, now)).fetchone()[0]

        return await self._scanner.run(due)

    async def list(self, query: InstanceQuery) -> tuple[Sequence[Snapshot], str | None]:
        try:
            before = int(query.continuation_token) if query.continuation_token else 2**63 - 1
        except ValueError:
            before = -1
        if not 0 <= before < 2**63:
            raise InvalidRequest(
                f"continuation token {query.continuation_token!r} was not given by this component: "
                "pass the token of a page, or none"
            )
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
        rows = await self._scanner.run(
            lambda reader: reader.execute(Q["list"], arguments).fetchall()
        )
        page = rows[: query.page_size]
        token = str(page[-1][0]) if len(rows) > len(page) else None
        snapshots = []
        for _, *columns, at in page:
            record = _to_record(tuple(columns))
            snapshots.append(Snapshot(record, at or record.created_at))
        return snapshots, token


@contextmanager
def _decoding(instance_id: str) -> Iterator[None]:
    try:
        yield
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise FlowyardError(
            f"what the database holds of instance '{instance_id}' cannot be decoded: {error}. "
            "Another program has changed it"
        ) from error


def _folded_status(status: WorkflowStatus, waiting: Sequence[Message]) -> WorkflowStatus:
    """Return the status with what no turn has taken up yet."""
    is_suspended = status is WorkflowStatus.SUSPENDED
    events = (message.event for message in waiting)
    is_as_before = suspended_after(events, suspended=is_suspended) is is_suspended
    if is_as_before or status.is_closed or status is WorkflowStatus.STALLED:
        return status
    return WorkflowStatus.RUNNING if is_suspended else WorkflowStatus.SUSPENDED


def _snapshot(reader: sqlite3.Connection, instance_id: str, payloads: bool) -> Snapshot | None:
    record = _record(reader, instance_id)
    if record is None:
        return None
    if not payloads:
        row = reader.execute(Q["last_change"], (record.run,)).fetchone()
        return Snapshot(record, row[0] if row is not None else record.created_at)
    first = reader.execute(Q["first_turn"], (record.run,)).fetchone()
    events = decode_events(first[0]) if first is not None else []
    started = next((event for event in events if isinstance(event, ExecutionStarted)), None)
    if started is None:
        # Not started yet (or paused before it was): the start waits as a message, or came later.
        waiting: list[HistoryEvent] = [message.event for message in _messages(reader, record)]
        if not any(isinstance(event, ExecutionStarted) for event in waiting):
            for (blob,) in reader.execute(Q["history"], (record.run,)):
                waiting.extend(decode_events(blob))
        started = next((event for event in waiting if isinstance(event, ExecutionStarted)), None)
    last = reader.execute(Q["last_turn"], (record.run,)).fetchone()
    updated_at, completion = record.created_at, None
    if last is not None:
        updated_at = last[0]
        if record.status.is_closed:
            ended = decode_events(last[1])
            completion = next(
                (event for event in ended if isinstance(event, ExecutionCompleted)), None
            )
    return Snapshot(record, updated_at, started, completion)


def _record(reader: sqlite3.Connection, instance_id: str) -> Record | None:
    row = reader.execute(Q["instance"], (instance_id,)).fetchone()
    return None if row is None else _to_record(row)


def _to_record(row: tuple[Any, ...]) -> Record:
    instance_id, birth, run, workflow, status, *rest = row
    return Record(instance_id, birth, run, workflow, WorkflowStatus(status), *rest)


def _messages(reader: sqlite3.Connection, record: Record) -> list[Message]:
    rows = reader.execute(Q["messages"], (record.id, record.birth)).fetchall()
    return [_to_message(id_, record.id, *columns) for id_, *columns in rows]


def _to_message(
    id_: int, instance_id: str, birth: int, due_at: int, execution_id: str | None, event: bytes
) -> Message:
    return Message(instance_id, decode_events(event)[0], birth, due_at, execution_id, id_)
