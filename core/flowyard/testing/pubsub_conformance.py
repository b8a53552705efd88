"""The conformance suite for brokers: inherit one class, say which component to open, run pytest.

::

    class TestMine(PubSubConformance):
        @pytest.fixture
        def component_spec(self) -> ComponentSpec:
            return ComponentSpec(name="mine", type="pubsub.mine", metadata={"url": "…"})
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import uuid4

import pytest

from flowyard.backend.component import ComponentType
from flowyard.backend.pubsub import Delivery, Message, PubSub, PubSubCapability
from flowyard.blocks.opening import open_blocks
from flowyard.clock import SystemClock
from flowyard.config import ComponentSpec
from flowyard.config.plugins import component_type

OpenPubSub: TypeAlias = Callable[..., AbstractAsyncContextManager[PubSub]]


class Subscriber:
    """Takes messages as a test says, and remembers each delivery."""

    def __init__(self, patience: timedelta) -> None:
        self.deliveries: list[Message] = []
        self.cancelled: list[bytes] = []
        self.answers: dict[bytes, list[Delivery | Exception]] = {}
        """What is answered for the data of a message, in turn; DONE in the end."""
        self.gates: dict[bytes, asyncio.Event] = {}
        """What is waited for, by the data of a message, before it is answered."""
        self._patience = patience.total_seconds()
        self._changed = asyncio.Condition()

    async def __call__(self, message: Message) -> Delivery:
        async with self._changed:
            self.deliveries.append(message)
            self._changed.notify_all()
        try:
            if message.data in self.gates:
                await self.gates[message.data].wait()
        except asyncio.CancelledError:
            self.cancelled.append(message.data)
            raise
        answers = self.answers.get(message.data)
        answer = answers.pop(0) if answers else Delivery.DONE
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def data(self) -> list[bytes]:
        """The data of all deliveries, in their order."""
        return [message.data for message in self.deliveries]

    async def gets(self, count: int) -> list[Message]:
        """Return the deliveries once there are so many."""
        async with asyncio.timeout(self._patience), self._changed:
            await self._changed.wait_for(lambda: len(self.deliveries) >= count)
        return self.deliveries


class PubSubConformance:
    """Every rule of the seam of brokers as a test. Override the fixture `component_spec`."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        """The component to test, as components.yaml would have it."""
        raise NotImplementedError(
            "override the fixture `component_spec`: return "
            "ComponentSpec(name='mine', type='pubsub.mine', metadata={…})"
        )

    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any, Any]]:
        """Component types that no entry point offers."""
        return ()

    @pytest.fixture
    def patience(self) -> timedelta:
        """How long to wait for anything before the test fails."""
        return timedelta(seconds=60)

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def capabilities(
        self, component_spec: ComponentSpec, component_types: Sequence[ComponentType[Any, Any]]
    ) -> frozenset[str]:
        """What the component type declares, read without a connection."""
        return frozenset(component_type(component_spec.type, extra=component_types).capabilities)

    @pytest.fixture
    def topic(self) -> str:
        """A topic that nobody else uses; also brokers that tests share stay apart."""
        return f"conformance-{uuid4().hex}"

    @pytest.fixture
    def subscriber(self, patience: timedelta) -> Subscriber:
        """One that takes everything, unless it is told otherwise."""
        return Subscriber(patience)

    @pytest.fixture
    def open_pubsub(
        self, component_spec: ComponentSpec, component_types: Sequence[ComponentType[Any, Any]]
    ) -> OpenPubSub:
        """Open the component once more: `async with open_pubsub() as pubsub`."""

        @asynccontextmanager
        async def open_once_more(app_id: str = "conformance") -> AsyncIterator[PubSub]:
            async with open_blocks(
                [component_spec], component_types, app_id, SystemClock()
            ) as blocks:
                yield blocks.brokers[component_spec.name].pubsub

        return open_once_more

    @pytest.fixture
    async def pubsub(self, open_pubsub: OpenPubSub) -> AsyncIterator[PubSub]:
        """The open component that most tests need."""
        async with open_pubsub() as pubsub:
            yield pubsub

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
            await self._let_faults_show(pubsub, subscriber, topic)
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

    async def test_a_message_that_is_not_taken_comes_again(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        subscriber.answers[b"again"] = [Delivery.RETRY, Delivery.RETRY]
        async with pubsub.subscribe(topic, subscriber, {}):
            await pubsub.publish(topic, b"again", {"key": "value"})
            await subscriber.gets(3)
            await self._let_faults_show(pubsub, subscriber, topic)
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
            await self._let_faults_show(pubsub, subscriber, topic)

    async def test_a_message_that_takes_long_does_not_hold_up_the_next(
        self, pubsub: PubSub, topic: str, subscriber: Subscriber
    ) -> None:
        subscriber.gates[b"slow"] = asyncio.Event()
        async with pubsub.subscribe(topic, subscriber, {}):
            await pubsub.publish(topic, b"slow", {})
            await subscriber.gets(1)
            await self._let_faults_show(pubsub, subscriber, topic)
            subscriber.gates[b"slow"].set()

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
            await self._let_faults_show(pubsub, subscriber, topic)
        assert sorted(subscriber.data) == sorted([*datas, b"fence"])

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
            await self._let_faults_show(pubsub, later, topic)
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

    async def test_messages_outlive_the_component(
        self,
        open_pubsub: OpenPubSub,
        capabilities: frozenset[str],
        topic: str,
        subscriber: Subscriber,
        patience: timedelta,
    ) -> None:
        if PubSubCapability.VOLATILE in capabilities:
            pytest.skip(f"the component declares {PubSubCapability.VOLATILE}")
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

    async def test_another_application_gets_every_message_too(
        self,
        open_pubsub: OpenPubSub,
        capabilities: frozenset[str],
        topic: str,
        subscriber: Subscriber,
        patience: timedelta,
    ) -> None:
        if PubSubCapability.SHARED not in capabilities:
            pytest.skip(f"the component does not declare {PubSubCapability.SHARED}")
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

    async def test_a_star_stands_for_the_rest_of_topics_where_that_is_declared(
        self, pubsub: PubSub, capabilities: frozenset[str], topic: str, subscriber: Subscriber
    ) -> None:
        if PubSubCapability.SUBSCRIBE_WILDCARDS not in capabilities:
            pytest.skip(f"the component does not declare {PubSubCapability.SUBSCRIBE_WILDCARDS}")
        await pubsub.publish(f"{topic}.a", b"early", {})
        async with pubsub.subscribe(f"{topic}.*", subscriber, {}):
            await pubsub.publish(f"{topic}.b", b"late", {})
            await pubsub.publish(f"{topic}-c", b"elsewhere", {})
            await subscriber.gets(2)
            await self._let_faults_show(pubsub, subscriber, f"{topic}.c")
        told = {(message.topic, message.data) for message in subscriber.deliveries}
        assert told == {
            (f"{topic}.a", b"early"),
            (f"{topic}.b", b"late"),
            (f"{topic}.c", b"fence"),
        }

    async def _let_faults_show(self, pubsub: PubSub, subscriber: Subscriber, topic: str) -> None:
        """Publish one more message and see it arrive: time for a fault to show itself."""
        before = len(subscriber.deliveries)
        await pubsub.publish(topic, b"fence", {})
        count = before + 1
        while b"fence" not in subscriber.data:
            await subscriber.gets(count)
            count = len(subscriber.deliveries) + 1
