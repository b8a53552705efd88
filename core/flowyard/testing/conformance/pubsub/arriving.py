"""Each message arrives once, as it was published, at everybody who is to get it."""

from __future__ import annotations

from datetime import timedelta

from flowyard.backend.component import Capability
from flowyard.backend.pubsub import PubSub, PubSubCapability
from flowyard.testing.conformance.pubsub.subject import OpenPubSub, Subscriber
from flowyard.testing.conformance.subject import requires


class Arriving:
    """What a subscriber gets."""

    async def test_a_message_arrives_as_it_was_published(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        async with pubsub.subscribe(topic, subscriber, {}):
            await pubsub.publish(topic, b'{"id": 1}', {"color": "gr\u00fcn", "Size": "1"})
            (message,) = await subscriber.gets(1)
        assert (message.topic, message.data, message.attempt) == (topic, b'{"id": 1}', 1)
        assert dict(message.metadata) == {"color": "gr\u00fcn", "Size": "1"}
        assert message.id

    async def test_data_may_be_any_bytes(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        datas = [b"", bytes(range(256)), b"x" * 1_000_000]
        async with pubsub.subscribe(topic, subscriber, {}):
            for data in datas:
                await pubsub.publish(topic, data, {})
            await subscriber.gets(3)
        assert sorted(subscriber.data) == sorted(datas)

    async def test_each_message_is_delivered_once_if_it_is_taken(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        datas = {b"%d" % number for number in range(50)}
        async with pubsub.subscribe(topic, subscriber, {}):
            for data in datas:
                await pubsub.publish(topic, data, {})
            await subscriber.gets(50)
            await subscriber.sees_a_fence(pubsub, topic)
        assert len(subscriber.deliveries) == 51
        assert set(subscriber.data) == datas | {b"fence"}
        assert len({message.id for message in subscriber.deliveries}) == 51

    async def test_topics_are_apart(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber, patience: timedelta
    ) -> None:
        other = Subscriber(patience)
        async with (
            pubsub.subscribe(topic, subscriber, {}),
            pubsub.subscribe(f"{topic}-2", other, {}),
        ):
            await pubsub.publish(topic, b"one", {})
            await pubsub.publish(f"{topic}-2", b"two", {})
            await subscriber.gets(1)
            await other.gets(1)
        assert (subscriber.data, other.data) == ([b"one"], [b"two"])

    async def test_a_topic_may_have_any_name(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        name = f"{topic}/Sub.topic:1 \u00e9"
        async with pubsub.subscribe(name, subscriber, {}):
            await pubsub.publish(name, b"data", {})
            (message,) = await subscriber.gets(1)
        assert message.topic == name

    async def test_what_was_published_before_the_first_subscription_is_delivered(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        await pubsub.publish(topic, b"early", {})
        async with pubsub.subscribe(topic, subscriber, {}):
            await subscriber.gets(1)
        assert subscriber.data == [b"early"]

    async def test_subscribers_of_one_application_share_the_messages(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        datas = [b"%d" % number for number in range(20)]
        async with (
            pubsub.subscribe(topic, subscriber, {}),
            pubsub.subscribe(topic, subscriber, {}),
        ):
            for data in datas:
                await pubsub.publish(topic, data, {})
            await subscriber.gets(20)
            await subscriber.sees_a_fence(pubsub, topic)
        assert sorted(subscriber.data) == sorted([*datas, b"fence"])

    @requires(Capability.SHARED)
    async def test_another_application_gets_every_message_too(
        self,
        open_pubsub: OpenPubSub,
        topic: str,
        subscriber: Subscriber,
        patience: timedelta,
    ) -> None:
        other = Subscriber(patience)
        async with (
            open_pubsub("one") as first,
            open_pubsub("two") as second,
            first.subscribe(topic, subscriber, {}),
            second.subscribe(topic, other, {}),
        ):
            await first.publish(topic, b"to all", {})
            await subscriber.gets(1)
            await other.gets(1)
        assert (subscriber.data, other.data) == ([b"to all"], [b"to all"])

    @requires(PubSubCapability.SUBSCRIBE_WILDCARDS)
    async def test_a_star_stands_for_the_rest_of_topics_where_that_is_declared(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        await pubsub.publish(f"{topic}.a", b"early", {})
        async with pubsub.subscribe(f"{topic}.*", subscriber, {}):
            await pubsub.publish(f"{topic}.b", b"late", {})
            await pubsub.publish(f"{topic}-c", b"elsewhere", {})
            await subscriber.gets(2)
            await subscriber.sees_a_fence(pubsub, f"{topic}.c")
        told = {(message.topic, message.data) for message in subscriber.deliveries}
        assert told == {
            (f"{topic}.a", b"early"),
            (f"{topic}.b", b"late"),
            (f"{topic}.c", b"fence"),
        }
