"""What is not taken comes again, and stands in nobody's way meanwhile."""

from __future__ import annotations

import asyncio

from flowyard.backend.pubsub import Delivery, PubSub
from flowyard.testing.conformance.pubsub.subject import Subscriber


class Repeating:
    """What becomes of a message that is not taken at once."""

    async def test_a_message_that_is_not_taken_comes_again(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        subscriber.answers[b"again"] = [Delivery.RETRY, Delivery.RETRY]
        async with pubsub.subscribe(topic, subscriber, {}):
            await pubsub.publish(topic, b"again", {"key": "value"})
            await subscriber.gets(3)
            await subscriber.sees_a_fence(pubsub, topic)
        again = [message for message in subscriber.deliveries if message.data == b"again"]
        assert [message.attempt for message in again] == [1, 2, 3]
        assert len({message.id for message in again}) == 1
        assert [dict(message.metadata) for message in again] == [{"key": "value"}] * 3

    async def test_an_error_means_that_it_was_not_taken(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        subscriber.answers[b"error"] = [ValueError("no")]
        async with pubsub.subscribe(topic, subscriber, {}):
            await pubsub.publish(topic, b"error", {})
            await subscriber.gets(2)
        assert subscriber.data == [b"error", b"error"]

    async def test_a_message_that_waits_for_its_repetition_stands_in_nobodys_way(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        poison = [b"poison %d" % number for number in range(30)]
        for data in poison:
            subscriber.answers[data] = [Delivery.RETRY] * 10
        async with pubsub.subscribe(topic, subscriber, {}):
            for data in poison:
                await pubsub.publish(topic, data, {})
            await subscriber.gets(30)
            await subscriber.sees_a_fence(pubsub, topic)

    async def test_a_message_that_takes_long_does_not_hold_up_the_next(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        subscriber.gates[b"slow"] = asyncio.Event()
        async with pubsub.subscribe(topic, subscriber, {}):
            await pubsub.publish(topic, b"slow", {})
            await subscriber.gets(1)
            await subscriber.sees_a_fence(pubsub, topic)
            subscriber.gates[b"slow"].set()
