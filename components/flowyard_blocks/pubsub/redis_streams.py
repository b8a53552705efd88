"""`pubsub.redis`: topics as streams of Redis, laid out as Dapr has them (docs/protocol.md §16)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

from pydantic import Field

from flowyard.backend import (
    Capability,
    ComponentContext,
    ComponentType,
    Handler,
    PubSub,
    hookimpl,
    most_at_once,
)
from flowyard_blocks.durations import Milliseconds
from flowyard_blocks.pubsub.redis_group import Readers, Reading, StreamGroup
from flowyard_blocks.redis.connection import RedisConnection
from flowyard_blocks.redis.settings import RedisSettings

# Each subscription has a connection of its own, on which it waits for messages.
_MOST_SUBSCRIPTIONS = 10_000


class RedisStreamsSettings(RedisSettings):
    """The settings of the connection, of the streams and of the delivery."""

    consumer_id: str = Field(default="", alias="consumerID")
    """The consumer group; the ID of the application by default."""
    max_len_approx: int = Field(default=0, ge=0)
    """About how many messages a stream keeps, delivered or not; 0 for all of them."""
    stream_ttl: Milliseconds = Field(default=timedelta(0), ge=timedelta(0), alias="streamTTL")
    """For about how long a stream keeps messages, delivered or not; 0 for ever."""
    queue_depth: int = Field(default=100, ge=1)
    """How many messages are read at once."""
    concurrency: int = Field(default=10, ge=1)
    """How many messages of one subscription the application gets at once."""
    processing_timeout: Milliseconds = Field(default=timedelta(seconds=60), ge=timedelta(0))
    """How long the application may take for one, which then comes again; 0 for any time."""
    redeliver_interval: Milliseconds = Field(default=timedelta(seconds=15), ge=timedelta(0))
    """How often what a process has left is looked for; 0 for never."""


class RedisStreams(PubSub):
    """Adds to streams, and reads them as a consumer group."""

    def __init__(
        self,
        settings: RedisStreamsSettings,
        context: ComponentContext,
        publishing: RedisConnection,
        reading: RedisConnection,
    ) -> None:
        super().__init__(context.name)
        self._settings = settings
        self._context = context
        self._publishing = publishing
        self._reading = reading
        self._readers: dict[str, Readers] = {}

    async def publish(self, topic: str, data: bytes, metadata: Mapping[str, str]) -> None:
        command: list[str | bytes | int] = ["XADD", topic, *self._limit(), "*", "data", data]
        if metadata:
            command += ["metadata", json.dumps(dict(metadata), separators=(",", ":"))]
        with self._publishing.told():
            await self._publishing.client.execute_command(*command)  # type: ignore[no-untyped-call]

    def subscribe(
        self, topic: str, handler: Handler, metadata: Mapping[str, str]
    ) -> AbstractAsyncContextManager[None]:
        settings = self._settings
        how = Reading(
            settings.consumer_id or self._context.app_id,
            settings.queue_depth,
            max(settings.concurrency, most_at_once(metadata)),
            settings.processing_timeout.total_seconds(),
            settings.redeliver_interval.total_seconds(),
        )
        readers = self._readers.setdefault(topic, Readers())
        return StreamGroup(self._reading, topic, handler, how, self._context, readers).reading()

    def _limit(self) -> list[str | int]:
        if self._settings.max_len_approx:
            return ["MAXLEN", "~", self._settings.max_len_approx]
        if self._settings.stream_ttl:
            age_ms = self._settings.stream_ttl // timedelta(milliseconds=1)
            oldest = self._context.clock.now() // 1000 - age_ms
            return ["MINID", "~", oldest]
        return []


@asynccontextmanager
async def _open(
    settings: RedisStreamsSettings, context: ComponentContext
) -> AsyncIterator[RedisStreams]:
    if settings.max_len_approx or settings.stream_ttl:
        context.logger.warning(
            "%s removes messages by maxLenApprox or streamTTL, also those that nobody has got yet",
            context.name,
        )
    many = settings.model_copy(update={"pool_size": _MOST_SUBSCRIPTIONS})
    async with (
        RedisConnection.open(context.name, settings) as publishing,
        RedisConnection.open(context.name, many) as reading,
    ):
        yield RedisStreams(settings, context, publishing, reading)


REDIS = ComponentType(
    name="pubsub.redis",
    settings=RedisStreamsSettings,
    open=_open,
    capabilities=frozenset({Capability.SHARED}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[RedisStreamsSettings, RedisStreams]:
    """Offer `pubsub.redis`."""
    return REDIS
