"""One subscription: takes messages from the broker, and has the application take them.

What it does not take comes again; after `maxRetries` it goes to the dead-letter topic. Without one
it is kept apart, in a topic of the same broker, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from flowyard.backend.backoff import Backoff
from flowyard.backend.pubsub import MOST_AT_ONCE, Delivery, Message
from flowyard.blocks.broker import Broker
from flowyard.blocks.cloud_events import decode, is_expired, is_raw, wrapped
from flowyard.config.subscriptions import Subscription
from flowyard.errors import FlowyardError, InvalidRequest, PayloadError
from flowyard.identifier import new_uuid
from flowyard.server.app_channel import AppAway
from flowyard.server.pubsub.delivery import Answer, Parcel, Recipient
from flowyard.server.pubsub.routes import Routes

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


@dataclass(slots=True)
class Deliveries:
    """What goes on in all subscriptions of a server.

    Attributes:
        stopping: Whether no further message is to be begun with.
        in_hand: How many the application has in hand.
        none_left: Set while it has none.
        undelivered: How many messages were kept apart, by the topics where they are.
        tell: Called with such a topic and their number.
        at_the_end: Called once no further message is begun with.
    """

    stopping: bool = False
    in_hand: int = 0
    none_left: asyncio.Event = field(default_factory=asyncio.Event)
    undelivered: dict[str, int] = field(default_factory=dict)
    tell: Callable[[str, int], object] = lambda topic, number: None
    at_the_end: list[Callable[[], object]] = field(default_factory=list)

    def keep_apart(self, topic: str) -> None:
        """Count one more message that was put into such a topic."""
        self.undelivered[topic] = self.undelivered.get(topic, 0) + 1
        self.tell(topic, self.undelivered[topic])

    def begin(self) -> None:
        """Count one more that is in hand."""
        self.in_hand += 1
        self.none_left.clear()

    def end(self) -> None:
        """Count one less."""
        self.in_hand -= 1
        if not self.in_hand:
            self.none_left.set()

    async def drain(self) -> None:
        """Begin with no more, and return once none is in hand."""
        self.stopping = True
        for call in self.at_the_end:
            call()
        if self.in_hand:
            await self.none_left.wait()


class Subscriber:
    """Delivers the messages of one subscription; raises `ConfigurationError` for its rules.

    Args:
        broker: The broker.
        subscription: The topic, and where its events go.
        recipient: Who takes them.
        deliveries: What goes on in all subscriptions.
    """

    def __init__(
        self,
        broker: Broker,
        subscription: Subscription,
        recipient: Recipient,
        deliveries: Deliveries,
    ) -> None:
        self.subscription = subscription
        self._broker = broker
        self._routes = Routes(subscription.rules, subscription.label)
        self._recipient = recipient
        self._deliveries = deliveries
        self._is_raw = is_raw(subscription.metadata)
        self._away = asyncio.Event()

    async def run(self, begun: Callable[[], object] = lambda: None) -> None:
        """Deliver until it is cancelled; `begun` is called when the broker is asked first."""
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        topic = self.subscription.topic
        subscribe = self._broker.pubsub.subscribe
        metadata = dict(self.subscription.metadata)
        if self.subscription.bulk is not None:
            # Fewer would never fill a bundle, and each one would wait for its time.
            metadata[MOST_AT_ONCE] = str(self.subscription.bulk.most)
        while True:
            try:
                async with subscribe(topic, self.take, metadata):
                    backoff.reset()
                    begun()
                    await self._away.wait()
            except InvalidRequest:
                logger.exception("%s cannot be had", self.subscription.label)
                return
            except FlowyardError as error:
                logger.warning("%s waits: %s", self.subscription.label, error)
                await backoff.sleep()
                continue
            logger.warning("the application is away: topic '%s' waits for it", topic)
            await self._recipient.returned()
            self._away.clear()

    async def take(self, message: Message) -> Delivery:
        """Hand a message over, and say whether it is done with."""
        if self._deliveries.stopping or self._away.is_set():
            await self._end()
        self._deliveries.begin()
        try:
            return await self._take(message)
        except AppAway:
            self._away.set()
        finally:
            self._deliveries.end()
        await self._end()
        raise AssertionError("it is cancelled")

    async def _end(self) -> None:
        """Wait for the end of the subscription, which answers nothing: the message stays."""
        await asyncio.Event().wait()

    async def _take(self, message: Message) -> Delivery:
        try:
            event, data = self._event(message)
            path = self._routes.path(event)
        except PayloadError as error:
            return await self._give_up(message, str(error))
        if is_expired(event, self._broker.now()):
            return await self._drop(message, "its time to live is over")
        if path is None:
            return await self._drop(message, "no rule matches")
        metadata = dict(message.metadata)
        parcel = Parcel(path, event, data, self._broker.name, message.topic, metadata, self._is_raw)
        answer = await self._recipient.deliver(parcel)
        if answer is Answer.SUCCESS:
            return Delivery.DONE
        if answer is Answer.DROP:
            return await self._drop(message, "the application dropped it")
        most = self._broker.max_retries
        if 0 <= most < message.attempt:
            return await self._give_up(message, f"it was not taken {message.attempt} times")
        return Delivery.RETRY

    def _event(self, message: Message) -> tuple[dict[str, Any], bytes]:
        """Return the fields of the event, and its text."""
        if not self._is_raw:
            return decode(message.data), message.data
        event = wrapped(message.data, self._broker.name, message.topic, str(new_uuid()))
        return event, msgspec.json.encode(event, order="sorted")

    async def _drop(self, message: Message, why: str) -> Delivery:
        if not self.subscription.dead_letter_topic:
            logger.info("message %s of topic '%s' is dropped: %s", message.id, message.topic, why)
            return Delivery.DONE
        return await self._give_up(message, why)

    async def _give_up(self, message: Message, why: str) -> Delivery:
        """Put a message where it is not delivered any more."""
        dead_letters = self.subscription.dead_letter_topic
        topic = dead_letters or f"{message.topic}.undelivered.{self._broker.app_id}"
        try:
            await self._broker.pubsub.publish(topic, message.data, message.metadata)
        except FlowyardError as error:
            logger.warning(
                "message %s of topic '%s' cannot be put into topic '%s' yet: %s",
                message.id,
                message.topic,
                topic,
                error,
            )
            return Delivery.RETRY
        if dead_letters:
            logger.warning(
                "message %s of topic '%s' is now in the dead-letter topic '%s': %s",
                message.id,
                message.topic,
                topic,
                why,
            )
            return Delivery.DONE
        self._deliveries.keep_apart(topic)
        logger.warning(
            "message %s of topic '%s' is kept apart in topic '%s': %s. Subscribe to that topic to "
            "get it again, or give the subscription a dead-letter topic",
            message.id,
            message.topic,
            topic,
            why,
        )
        return Delivery.DONE
