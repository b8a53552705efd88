"""Brokers with one fault each, which the conformance class has to notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from flowyard.backend.pubsub import Delivery, Handler, Message, PubSub
from flowyard.blocks.opening import open_blocks
from flowyard.clock import SystemClock
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import PubSubConformance
from flowyard.testing.conformance.pubsub import Subscriber

_SHORT = timedelta(seconds=3)


class _Mutant(PubSub):
    """The broker in memory, and what each mutant does differently."""

    def __init__(self, inner: PubSub) -> None:
        super().__init__(inner.name)
        self.inner = inner
        self.turn = asyncio.Lock()

    async def publish(self, topic: str, data: bytes, metadata: Mapping[str, str]) -> None:
        await self.inner.publish(topic, data, metadata)

    @asynccontextmanager
    async def subscribe(
        self, topic: str, handler: Handler, metadata: Mapping[str, str]
    ) -> AsyncIterator[None]:
        async def take(message: Message) -> Delivery:
            return await self.take(message, handler)

        async with self.inner.subscribe(topic, take, metadata):
            yield

    async def take(self, message: Message, handler: Handler) -> Delivery:
        """Deliver a message."""
        return await handler(message)


class TakesAnyAnswerForYes(_Mutant):
    async def take(self, message: Message, handler: Handler) -> Delivery:
        await handler(message)
        return Delivery.DONE


class LosesWhatFails(_Mutant):
    async def take(self, message: Message, handler: Handler) -> Delivery:
        try:
            return await handler(message)
        except ValueError:
            return Delivery.DONE


class DeliversTwice(_Mutant):
    async def take(self, message: Message, handler: Handler) -> Delivery:
        await handler(message)
        return await handler(message)


class OneAtATime(_Mutant):
    async def take(self, message: Message, handler: Handler) -> Delivery:
        async with self.turn:
            return await handler(message)


class RepeatsInPlace(_Mutant):
    async def take(self, message: Message, handler: Handler) -> Delivery:
        async with self.turn:
            while await handler(message) is not Delivery.DONE:  # noqa: ASYNC110 - its fault
                await asyncio.sleep(0.3)
            return Delivery.DONE


class CountsNothing(_Mutant):
    async def take(self, message: Message, handler: Handler) -> Delivery:
        return await handler(Message(message.topic, message.data, message.id, 1, message.metadata))


class LosesMetadata(_Mutant):
    async def take(self, message: Message, handler: Handler) -> Delivery:
        return await handler(Message(message.topic, message.data, message.id, message.attempt))


class BeginsLate(_Mutant):
    known: frozenset[str] = frozenset()

    async def publish(self, topic: str, data: bytes, metadata: Mapping[str, str]) -> None:
        if topic in self.known:
            await self.inner.publish(topic, data, metadata)

    @asynccontextmanager
    async def subscribe(
        self, topic: str, handler: Handler, metadata: Mapping[str, str]
    ) -> AsyncIterator[None]:
        self.known |= {topic}
        async with super().subscribe(topic, handler, metadata):
            yield


_SUITE = PubSubConformance()


@pytest.mark.parametrize(
    ("mutant", "test"),
    [
        (TakesAnyAnswerForYes, _SUITE.test_a_message_that_is_not_taken_comes_again),
        (LosesWhatFails, _SUITE.test_an_error_means_that_it_was_not_taken),
        (DeliversTwice, _SUITE.test_each_message_is_delivered_once_if_it_is_taken),
        (OneAtATime, _SUITE.test_a_message_that_takes_long_does_not_hold_up_the_next),
        (
            RepeatsInPlace,
            _SUITE.test_a_message_that_waits_for_its_repetition_stands_in_nobodys_way,
        ),
        (CountsNothing, _SUITE.test_a_message_that_is_not_taken_comes_again),
        (LosesMetadata, _SUITE.test_a_message_arrives_as_it_was_published),
        (
            BeginsLate,
            _SUITE.test_what_was_published_before_the_first_subscription_is_delivered,
        ),
    ],
    ids=lambda value: value.__name__,
)
async def test_a_faulty_broker_is_noticed(mutant: type[_Mutant], test: Any) -> None:
    async with AsyncExitStack() as stack:
        spec = ComponentSpec(name="memory", type="pubsub.in-memory")
        blocks = await stack.enter_async_context(
            open_blocks([spec], (), "conformance", SystemClock())
        )
        inner = blocks.brokers["memory"].pubsub
        await test(inner, "right", Subscriber(_SHORT))
        with pytest.raises((AssertionError, TimeoutError, ValueError)):
            await test(mutant(inner), "wrong", Subscriber(_SHORT))
