"""The seam of message brokers: topics, as `pubsub.…` components carry them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum

from flowyard.backend.component import Component


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way to a subscriber.

    Attributes:
        topic: The topic that it was published to.
        data: The bytes as they were published.
        id: The broker's own ID of it, the same at every delivery.
        attempt: The number of this delivery, from 1.
        metadata: What was published with it; none by default.
    """

    topic: str
    data: bytes
    id: str
    attempt: int = 1
    metadata: Mapping[str, str] = field(default_factory=dict)


class Delivery(StrEnum):
    """What becomes of a message that was delivered: DONE takes it away, RETRY brings it again."""

    DONE = "done"
    RETRY = "retry"


Handler = Callable[[Message], Awaitable[Delivery]]


class PubSub(Component, ABC):
    """An open broker; a plugin derives from it. Every method may raise `BackendUnavailable`.

    Args:
        name: The name of the component in the configuration, kept as `name`.
    """

    @abstractmethod
    async def publish(self, topic: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Publish a message; return once the broker has it.

        Args:
            topic: The name of the topic.
            data: The bytes, which subscribers get as they are.
            metadata: Settings of this call, which subscribers get with it.

        Raises:
            InvalidRequest: If a setting cannot be used.
        """

    @abstractmethod
    def subscribe(
        self, topic: str, handler: Handler, metadata: Mapping[str, str]
    ) -> AbstractAsyncContextManager[None]:
        """Deliver the messages of a topic until the end of the block.

        A message is delivered until the handler answers DONE: at once again after RETRY, after an
        error and after the death of the process, later and later. Those that wait for it stand in
        nobody's way. Subscribers with the same application share the messages.

        Args:
            topic: The name of the topic.
            handler: Takes one message, and says what becomes of it. Several calls may run at once.
            metadata: Settings of this subscription.
        """
