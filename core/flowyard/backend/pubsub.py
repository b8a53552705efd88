"""The seam of message brokers: topics, as `pubsub.…` components carry them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum

from flowyard.backend.component import Component

MOST_AT_ONCE = "maxMessagesCount"
"""A setting of a subscription whose handler waits for so many messages, to take them together."""

_MOST = 1000
_FIRST_PAUSE = 0.2
_FACTOR = 3.0
_LONGEST_PAUSE = 300.0
_LONGEST_AFTER = 7  # of these pauses the longest is the next one


class PubSubCapability(StrEnum):
    """What a broker may do beyond publishing and delivering, in Dapr's words.

    With SUBSCRIBE_WILDCARDS a subscription may name several topics at once by a `*`. Besides,
    `Capability` has VOLATILE and SHARED for brokers, too.
    """

    SUBSCRIBE_WILDCARDS = "SUBSCRIBE_WILDCARDS"


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


def most_at_once(metadata: Mapping[str, str]) -> int:
    """Return how many messages a handler takes together, 1,000 at most; 1 if it takes one by one.

    Args:
        metadata: The settings of the subscription.
    """
    told = metadata.get(MOST_AT_ONCE, "")
    return max(1, min(int(told), _MOST)) if told.isdecimal() and len(told) < 20 else 1


def redelivery_pause(attempt: int) -> float:
    """Return how long a message waits before it is delivered again, in seconds.

    It is 0.2 s after the first delivery, three times as long after each further one, and 5 minutes
    at the most.

    Args:
        attempt: The number of the delivery that was not taken, from 1.
    """
    if attempt > _LONGEST_AFTER:
        return _LONGEST_PAUSE
    return min(_FIRST_PAUSE * _FACTOR ** (attempt - 1), _LONGEST_PAUSE)


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

        A message is delivered until the handler answers DONE: again after RETRY, after an error and
        after the death of the process, each time after a longer pause (`redelivery_pause`). Those
        that wait for it stand in nobody's way. What was published before the first subscription is
        delivered, too. Subscribers with the same application share the messages. Where the broker
        itself cannot be reached for a while, the subscription goes on afterwards.

        At the end of the block the handlers that still run are cancelled, which is no answer: their
        messages come again.

        Args:
            topic: The name of the topic.
            handler: Takes one message, and says what becomes of it. Several calls run at once.
            metadata: Settings of this subscription. `maxMessagesCount` says that the handler takes
                so many messages together (`most_at_once`): each call waits until as many run, or
                for some time.
        """
