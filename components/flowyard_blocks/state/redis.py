"""`state.redis`: values in hashes of Redis, as Dapr has them there (docs/state.md)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from pydantic import Field, field_validator

from flowyard.backend import (
    BackendUnavailable,
    Capability,
    ComponentContext,
    ComponentType,
    Concurrency,
    Consistency,
    DeleteState,
    EtagMismatch,
    FlowyardError,
    InvalidEtag,
    InvalidRequest,
    SetState,
    StateCapability,
    StateOptions,
    StateStore,
    StateValue,
    hookimpl,
    ttl_seconds,
)
from flowyard_blocks.redis.connection import RedisConnection
from flowyard_blocks.redis.settings import RedisSettings

_VERSION = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_ANY = "0"
_REPLICAS_MILLISECONDS = 1000
_OTHER_TYPE = "WRONGTYPE"


class RedisStateSettings(RedisSettings):
    """Of the connection, and how long values stay."""

    ttl_in_seconds: int | None = Field(default=None, le=2**31 - 1)
    """For values that are set without a time to live; by default they stay."""
    query_indexes: str = ""

    @field_validator("query_indexes")
    @classmethod
    def _is_empty(cls, value: str) -> str:
        if value.strip():
            raise ValueError("queries are not offered. Remove it")
        return value


class RedisState(StateStore):
    """Values as hashes; see `_open`.

    Args:
        replicas: How many replicas the server had when it was opened.
    """

    def __init__(
        self, name: str, connection: RedisConnection, ttl_in_seconds: int | None, replicas: int
    ) -> None:
        super().__init__(name)
        self._connection = connection
        self._ttl = ttl_in_seconds
        self._replicas = replicas
        # Its types are those of a server that may answer at once or later.
        self._client: Any = connection.client
        self._source = (files("flowyard_blocks") / "state" / "redis.lua").read_text()
        self._script = self._client.register_script(self._source)

    async def get(
        self,
        key: str,
        *,
        options: StateOptions | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StateValue | None:
        name = _encoded(key)
        try:
            return _value(key, await self._connection.repeated(lambda: self._client.hgetall(name)))
        except FlowyardError as error:
            if not str(error.__cause__).startswith(_OTHER_TYPE):
                raise
        # What another program has set as a text has no version.
        text = await self._connection.repeated(lambda: self._client.get(name))
        return None if text is None else StateValue(text)

    async def get_many(
        self,
        keys: Sequence[str],
        *,
        metadata: Mapping[str, str] | None = None,
        parallelism: int | None = None,
    ) -> Sequence[StateValue | Exception | None]:
        names = [_encoded(key) for key in keys]

        async def read() -> list[Any]:
            async with self._client.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hgetall(name)
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
                return answers

        answers = await self._connection.repeated(read) if names else []
        return [await self._one(*answer) for answer in zip(keys, answers, strict=True)]

    async def set(self, request: SetState) -> None:
        is_first = request.options.concurrency is Concurrency.FIRST_WRITE
        await self._write([request], request.options.consistency, is_first=is_first)

    async def delete(self, request: DeleteState) -> None:
        await self._write([request], request.options.consistency)

    async def transact(
        self,
        operations: Sequence[SetState | DeleteState],
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        if self._connection.settings.redis_type == "cluster":
            slots = {self._client.keyslot(_encoded(operation.key)) for operation in operations}
            if len(slots) > 1:
                raise InvalidRequest(
                    "the keys of a transaction are in different slots of the cluster. Give them "
                    "the same part in braces, as in 'order-{7}' and 'stock-{7}'."
                )
        is_strong = any(one.options.consistency is Consistency.STRONG for one in operations)
        if operations:
            await self._write(operations, Consistency.STRONG if is_strong else None)

    async def _one(self, key: str, answer: Any) -> StateValue | Exception | None:
        try:
            return await self.get(key) if isinstance(answer, Exception) else _value(key, answer)
        except FlowyardError as error:
            return error

    async def _write(
        self,
        operations: Sequence[SetState | DeleteState],
        consistency: Consistency | None,
        *,
        is_first: bool = False,
    ) -> None:
        keys = [_encoded(operation.key) for operation in operations]
        arguments: list[bytes | str] = []
        for operation in operations:
            if isinstance(operation, SetState):
                mark = "1" if is_first else ""
                arguments += ["set", _version(operation), operation.value, mark]
                arguments.append(self._time_to_live(operation))
            else:
                arguments += ["delete", operation.etag or _ANY, b"", "", ""]
        with self._connection.told():
            if self._replicas and consistency is Consistency.STRONG:
                refused = await self._write_everywhere(keys, arguments)
            else:
                refused = await self._script(keys, arguments)
        if refused:
            key = operations[abs(refused) - 1].key
            if refused > 0:
                raise EtagMismatch(key)
            raise FlowyardError(
                f"the hash of '{key}' has a version that is no whole number of at most 18 digits: "
                "another program has changed it. Delete it without an ETag."
            )

    async def _write_everywhere(
        self, keys: Sequence[bytes], arguments: Sequence[bytes | str]
    ) -> int:
        """Write, and wait until every connected replica has it too."""
        replicas = await _replicas(self._client)
        async with self._client.pipeline(transaction=False) as pipeline:  # on one connection
            pipeline.eval(self._source, len(keys), *keys, *arguments)
            pipeline.wait(replicas, _REPLICAS_MILLISECONDS)
            refused, confirmed = await pipeline.execute()
        if not refused and confirmed < replicas:
            raise BackendUnavailable(
                f"{self._connection.settings.label} has written the value, but only {confirmed} of "
                f"{replicas} replicas have confirmed it within a second"
            )
        return int(refused)

    def _time_to_live(self, request: SetState) -> str:
        ttl = ttl_seconds(request.metadata)
        if ttl is None:
            ttl = self._ttl
        return "" if ttl is None else str(max(0, ttl))


def _version(request: SetState) -> str:
    if not request.etag or request.options.concurrency is Concurrency.LAST_WRITE:
        return _ANY
    if not _VERSION.fullmatch(request.etag):
        raise InvalidEtag(request.key)
    return str(int(request.etag))


def _encoded(key: str) -> bytes:
    try:
        return key.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"the key {key!r} cannot be written as UTF-8: {error}") from error


def _value(key: str, found: Mapping[bytes, bytes]) -> StateValue | None:
    if not found:
        return None
    if b"data" not in found or b"version" not in found:
        raise FlowyardError(
            f"the hash of '{key}' has no field 'data' or no field 'version': it is not of a state "
            "store"
        )
    return StateValue(found[b"data"], found[b"version"].decode())


async def _replicas(client: Any) -> int:
    return int((await client.info("replication")).get("connected_slaves", 0))


@asynccontextmanager
async def _open(
    settings: RedisStateSettings, context: ComponentContext
) -> AsyncIterator[RedisState]:
    async with RedisConnection.open(context.name, settings) as connection:
        replicas = 0
        # In a cluster each key has replicas of its own, which only their server knows.
        if settings.redis_type == "node":
            with connection.told():
                replicas = await _replicas(connection.client)
        yield RedisState(context.name, connection, settings.ttl_in_seconds, replicas)


REDIS = ComponentType(
    name="state.redis",
    settings=RedisStateSettings,
    open=_open,
    capabilities=frozenset({*StateCapability, Capability.SHARED}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[RedisStateSettings, RedisState]:
    """Offer `state.redis`."""
    return REDIS
