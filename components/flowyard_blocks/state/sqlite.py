"""`state.sqlite`: values in a SQLite file, in the tables that Dapr has there (docs/state.md)."""

from __future__ import annotations

import sqlite3
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from flowyard.backend import (
    Capability,
    Clock,
    ComponentContext,
    ComponentType,
    Concurrency,
    DeleteState,
    EtagMismatch,
    FlowyardError,
    InvalidRequest,
    Machine,
    SetState,
    StateCapability,
    StateOptions,
    StateStore,
    StateValue,
    hookimpl,
    to_datetime,
    ttl_seconds,
)
from flowyard_blocks.state.cleaning import cleaning
from flowyard_blocks.state.database import Database
from flowyard_blocks.state.sqlite_settings import SqliteSettings

_TIME = "%Y-%m-%d %H:%M:%S"


class SqliteState(StateStore):
    """Values as rows; see `_open`."""

    def __init__(self, name: str, database: Database, clock: Clock, machine: Machine) -> None:
        super().__init__(name)
        self._database = database
        self._clock = clock
        self._machine = machine

    async def get(
        self,
        key: str,
        *,
        options: StateOptions | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StateValue | None:
        return await self._database.read(partial(self._read, key))

    async def get_many(
        self,
        keys: Sequence[str],
        *,
        metadata: Mapping[str, str] | None = None,
        parallelism: int | None = None,
    ) -> Sequence[StateValue | Exception | None]:
        def read(connection: sqlite3.Connection) -> list[StateValue | Exception | None]:
            found: list[StateValue | Exception | None] = []
            for key in keys:
                try:
                    found.append(self._read(key, connection))
                except FlowyardError as error:
                    found.append(error)
            return found

        return await self._database.read(read)

    async def set(self, request: SetState) -> None:
        await self.transact([request])

    async def delete(self, request: DeleteState) -> None:
        await self.transact([request])

    async def transact(
        self,
        operations: Sequence[SetState | DeleteState],
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        jobs = [
            partial(self._set, *self._row(operation))
            if isinstance(operation, SetState)
            else partial(self._delete, operation.etag, _checked_key(operation.key))
            for operation in operations
        ]

        def write(connection: sqlite3.Connection) -> None:
            for job in jobs:
                job(connection)

        await self._database.write(write)

    async def clean_up(self, interval: timedelta) -> None:
        """Remove what has expired, unless another process has done it within the interval."""
        now = self._now()
        times = {"now": _text(now), "since": _text(now - interval)}
        queries = self._database.queries

        def clean(connection: sqlite3.Connection) -> None:
            if connection.execute(queries["begin_cleanup"], times).rowcount:
                connection.execute(queries["delete_expired"], times)

        await self._database.write(clean)

    def _read(self, key: str, connection: sqlite3.Connection) -> StateValue | None:
        sql = self._database.queries["get"]
        named = {"key": _checked_key(key), "now": _text(self._now())}
        row = connection.execute(sql, named).fetchone()
        return None if row is None else _value(key, *row)

    def _row(self, request: SetState) -> tuple[str, dict[str, object]]:
        """Return the query that sets a value, and what it is given."""
        ttl = ttl_seconds(request.metadata)
        if ttl is not None and ttl < -1:
            raise InvalidRequest(f"metadata 'ttlInSeconds' is {ttl}: use -1 or 0 for no end")
        now = self._now()
        given: dict[str, object] = {
            "key": _checked_key(request.key),
            "value": _text_of(request),
            "is_binary": not request.is_json,
            "etag": request.etag,
            "new_etag": str(self._machine.new_uuid()),
            "expires_at": _text(now + timedelta(seconds=ttl)) if ttl and ttl > 0 else None,
            "now": _text(now),
        }
        if request.etag:
            return "set_version_of_value", given
        if request.options.concurrency is Concurrency.FIRST_WRITE:
            return "set_first", given
        return "set", given

    def _set(self, query: str, given: Mapping[str, object], connection: sqlite3.Connection) -> None:
        if not connection.execute(self._database.queries[query], given).rowcount:
            raise EtagMismatch(str(given["key"]))

    def _delete(self, etag: str | None, key: str, connection: sqlite3.Connection) -> None:
        query = self._database.queries["delete_version_of_value" if etag else "delete"]
        deleted = connection.execute(query, {"key": key, "etag": etag}).rowcount
        if etag and not deleted:
            raise EtagMismatch(key)

    def _now(self) -> datetime:
        return to_datetime(self._clock.now())


def _text(time: datetime) -> str:
    return time.strftime(_TIME)


def _text_of(request: SetState) -> str:
    if not request.is_json:
        return b64encode(request.value).decode()
    try:
        return request.value.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"the value for '{request.key}' is said to be JSON and is no UTF-8: {error}"
        ) from error


def _checked_key(key: str) -> str:
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"the key {key!r} cannot be written as UTF-8: {error}") from error
    return key


def _value(
    key: str, value: bytes, is_binary: int, etag: bytes, expires_at: bytes | None
) -> StateValue:
    try:
        return StateValue(
            b64decode(value, validate=True) if is_binary else bytes(value),
            etag.decode(),
            datetime.fromisoformat(expires_at.decode()).replace(tzinfo=UTC) if expires_at else None,
        )
    except (NotBase64, ValueError, TypeError, AttributeError) as error:
        raise FlowyardError(
            f"the row of '{key}' cannot be read: {error}. Another program has changed it."
        ) from error


@asynccontextmanager
async def _open(settings: SqliteSettings, context: ComponentContext) -> AsyncIterator[SqliteState]:
    async with Database.open(settings) as database:
        store = SqliteState(context.name, database, context.clock, context.machine)
        async with cleaning(
            context.clock, settings.cleanup_interval, store.clean_up, context.logger
        ):
            yield store


SQLITE = ComponentType(
    name="state.sqlite",
    settings=SqliteSettings,
    open=_open,
    capabilities=frozenset({*StateCapability, Capability.SHARED}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[SqliteSettings, SqliteState]:
    """Offer `state.sqlite`."""
    return SQLITE
