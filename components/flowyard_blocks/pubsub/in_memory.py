"""`pubsub.in-memory`: topics of one process, whose messages are kept while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import count

from pydantic import BaseModel, ConfigDict

from flowyard.backend import (
    BackgroundTasks,
    Capability,
    Clock,
    ComponentContext,
    ComponentType,
    Delivery,
    Handler,
    Message,
    PubSub,
    PubSubCapability,
    hookimpl,
    most_at_once,
    redelivery_pause,
)

_AT_ONCE = 10
_MOST_WAITING = 10_000


class InMemorySettings(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(extra="forbid")


class _Queue:
    """What the subscribers of a topic share. It stays when they go, for the next one."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    def put(self, message: Message) -> None:
        """Add a message; the oldest goes if there are too many."""
        if self._messages.qsize() >= _MOST_WAITING:
            lost = self._messages.get_nowait()
            self._logger.warning(
                "a message of topic '%s' is lost: %d wait for a subscriber, and no more are kept "
                "in memory",
                lost.topic,
                _MOST_WAITING,
            )
        self._messages.put_nowait(message)

    async def take(self) -> Message:
        """Return the oldest message, once there is one."""
        return await self._messages.get()

    def move_to(self, other: _Queue) -> None:
        """Give all messages to another queue."""
        while not self._messages.empty():
            other.put(self._messages.get_nowait())


class InMemoryPubSub(PubSub):
    """A queue for each topic and for each pattern of topics that somebody has subscribed to."""

    def __init__(self, name: str, clock: Clock, logger: logging.Logger) -> None:
        super().__init__(name)
        self._clock = clock
        self._logger = logger
        self._subscribed: dict[str, _Queue] = {}
        self._unclaimed: dict[str, _Queue] = {}
        self._ids = count(1)

    async def publish(self, topic: str, data: bytes, metadata: Mapping[str, str]) -> None:
        message = Message(topic, data, str(next(self._ids)), metadata=dict(metadata))
        queues = [queue for name, queue in self._subscribed.items() if _matches(topic, name)]
        if not queues:
            queues = [self._unclaimed.setdefault(topic, _Queue(self._logger))]
        for queue in queues:
            queue.put(message)

    @asynccontextmanager
    async def subscribe(
        self, topic: str, handler: Handler, metadata: Mapping[str, str]
    ) -> AsyncIterator[None]:
        queue = self._subscribed.setdefault(topic, _Queue(self._logger))
        for name in [name for name in self._unclaimed if _matches(name, topic)]:
            self._unclaimed.pop(name).move_to(queue)
        tasks = BackgroundTasks()
        try:
            for _ in range(max(_AT_ONCE, most_at_once(metadata))):
                tasks.run(self._deliver(queue, handler))
            yield
        finally:
            await asyncio.gather(*tasks.cancel(), return_exceptions=True)

    async def _deliver(self, queue: _Queue, handler: Handler) -> None:
        while True:
            message = await queue.take()
            outcome = Delivery.RETRY
            try:
                outcome = await handler(message)
            except asyncio.CancelledError:
                queue.put(message)
                raise
            except Exception:
                self._logger.exception("a message of topic '%s' was not taken", message.topic)
            if outcome is Delivery.RETRY:
                self._put_later(queue, message)

    def _put_later(self, queue: _Queue, message: Message) -> None:
        again = replace(message, attempt=message.attempt + 1)
        when = self._clock.now() + int(redelivery_pause(message.attempt) * 1e6)
        self._clock.call_at(when, lambda: queue.put(again))


def _matches(topic: str, pattern: str) -> bool:
    return topic == pattern or ("*" in pattern and fnmatchcase(topic, pattern))


@asynccontextmanager
async def _open(
    settings: InMemorySettings, context: ComponentContext
) -> AsyncIterator[InMemoryPubSub]:
    yield InMemoryPubSub(context.name, context.clock, context.logger)


IN_MEMORY = ComponentType(
    name="pubsub.in-memory",
    settings=InMemorySettings,
    open=_open,
    capabilities=frozenset({PubSubCapability.SUBSCRIBE_WILDCARDS, Capability.VOLATILE}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[InMemorySettings, InMemoryPubSub]:
    """Offer `pubsub.in-memory`."""
    return IN_MEMORY
