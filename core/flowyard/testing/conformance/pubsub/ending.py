"""What becomes of messages when their subscriber goes, and another one comes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from flowyard.backend.pubsub import Delivery, PubSub
from flowyard.testing.conformance.pubsub.subject import OpenPubSub, Subscriber
from flowyard.testing.conformance.subject import lasting


class Ending:
    """The end of a subscription, and of the component."""

    async def test_nothing_is_delivered_after_the_end(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber, patience: timedelta
    ) -> None:
        later = Subscriber(patience)
        async with pubsub.subscribe(topic, subscriber, {}):
            await pubsub.publish(topic, b"before", {})
            await subscriber.gets(1)
        await pubsub.publish(topic, b"after", {})
        async with pubsub.subscribe(topic, later, {}):
            await later.gets(1)
            await later.sees_a_fence(pubsub, topic)
        assert (subscriber.data, later.data) == ([b"before"], [b"after", b"fence"])

    async def test_what_is_in_hand_at_the_end_is_cancelled_and_comes_again(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber, patience: timedelta
    ) -> None:
        later = Subscriber(patience)
        subscriber.gates[b"in hand"] = asyncio.Event()
        async with pubsub.subscribe(topic, subscriber, {}):
            await pubsub.publish(topic, b"in hand", {})
            await subscriber.gets(1)
        assert subscriber.cancelled == [b"in hand"]
        async with pubsub.subscribe(topic, later, {}):
            await later.gets(1)
        assert later.data == [b"in hand"]

    async def test_what_waits_for_its_repetition_at_the_end_comes_again(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber, patience: timedelta
    ) -> None:
        later = Subscriber(patience)
        subscriber.answers[b"again"] = [Delivery.RETRY] * 9
        async with pubsub.subscribe(topic, subscriber, {}):
            await pubsub.publish(topic, b"again", {})
            await subscriber.gets(3)
        async with pubsub.subscribe(topic, later, {}):
            (message,) = await later.gets(1)
        assert (message.data, message.attempt) == (b"again", 4)

    @lasting()
    async def test_messages_outlive_the_component(
        self,
        open_pubsub: OpenPubSub,
        topic: str,
        subscriber: Subscriber,
        patience: timedelta,
    ) -> None:
        later = Subscriber(patience)
        subscriber.gates[b"in hand"] = asyncio.Event()
        async with open_pubsub() as pubsub:
            async with pubsub.subscribe(topic, subscriber, {}):
                await pubsub.publish(topic, b"taken", {})
                await subscriber.gets(1)
                await pubsub.publish(topic, b"in hand", {})
                await subscriber.gets(2)
            await pubsub.publish(topic, b"new", {})
        async with open_pubsub() as pubsub, pubsub.subscribe(topic, later, {}):
            await later.gets(2)
        assert sorted(later.data) == [b"in hand", b"new"]
