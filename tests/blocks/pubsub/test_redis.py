"""`pubsub.redis`: its layout, what another process leaves, and a server that is killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from flowyard.backend.pubsub import MOST_AT_ONCE, Delivery, PubSub, most_at_once
from flowyard.blocks.opening import open_blocks
from flowyard.clock import SystemClock
from flowyard.config import ComponentSpec
from flowyard.errors import BackendUnavailable
from flowyard.testing.conformance.pubsub import Subscriber
from servers.fixtures import StartRedis

_PATIENCE = timedelta(seconds=60)


@asynccontextmanager
async def _opened(address: str, **metadata: str) -> AsyncIterator[PubSub]:
    spec = ComponentSpec(
        name="orders", type="pubsub.redis", metadata={"redisHost": address, **metadata}
    )
    async with open_blocks([spec], (), "checkout", SystemClock()) as blocks:
        yield blocks.brokers["orders"].pubsub


@asynccontextmanager
async def _client(address: str) -> AsyncIterator[Redis]:
    client = Redis(port=int(address.rpartition(":")[2]), protocol=2)
    try:
        yield client
    finally:
        await client.aclose()


async def _all_taken(client: Redis, topic: str) -> None:
    """Return once nothing is pending, not even what is not in the stream any more."""
    async with asyncio.timeout(_PATIENCE.total_seconds()):
        while (await client.xpending(topic, "checkout"))["pending"]:  # noqa: ASYNC110 - elsewhere
            await asyncio.sleep(0.05)


@pytest.fixture
def topic() -> str:
    return f"topic-{uuid4().hex}"


@pytest.fixture
def subscriber() -> Subscriber:
    return Subscriber(_PATIENCE)


async def test_messages_are_laid_out_as_dapr_has_them(redis_server: str, topic: str) -> None:
    async with _opened(redis_server) as pubsub, _client(redis_server) as client:
        await pubsub.publish(topic, b"with", {"ttlInSeconds": "60"})
        await pubsub.publish(topic, b"without", {})
        entries: Any = await client.xrange(topic)
    (_, first), (_, second) = entries
    assert first[b"data"] == b"with"
    assert json.loads(first[b"metadata"]) == {"ttlInSeconds": "60"}
    assert second == {b"data": b"without"}


async def test_what_dapr_has_published_is_delivered_to_the_group_of_the_application(
    redis_server: str, topic: str, subscriber: Subscriber
) -> None:
    async with _opened(redis_server) as pubsub, _client(redis_server) as client:
        await client.xadd(topic, {"metadata": '{"a":"b"}', "data": b"of dapr"})
        await client.xadd(topic, {"data": b"plain", "metadata": "not JSON"})
        async with pubsub.subscribe(topic, subscriber, {}):
            await subscriber.gets(2)
        groups = await client.xinfo_groups(topic)
        consumers = await client.xinfo_consumers(topic, "checkout")
    told = [(message.data, dict(message.metadata)) for message in subscriber.deliveries]
    assert told == [(b"of dapr", {"a": "b"}), (b"plain", {})]
    assert [group["name"] for group in groups] == [b"checkout"]
    assert [consumer["name"] for consumer in consumers] == [b"checkout"]


async def test_what_another_process_has_left_is_taken_up(
    redis_server: str, topic: str, subscriber: Subscriber
) -> None:
    timing = {"processingTimeout": "200ms", "redeliverInterval": "100ms"}
    async with _opened(redis_server, **timing) as pubsub, _client(redis_server) as client:
        await client.xgroup_create(topic, "checkout", "0", mkstream=True)
        for number in range(3):
            await client.xadd(topic, {"data": b"%d" % number})
        await client.xreadgroup("checkout", "checkout", {topic: ">"})
        await client.xtrim(topic, maxlen=2, approximate=False)
        async with pubsub.subscribe(topic, subscriber, {}):
            await subscriber.gets(2)
            await _all_taken(client, topic)
    told = [(message.data, message.attempt) for message in subscriber.deliveries]
    assert sorted(told) == [(b"1", 2), (b"2", 2)]


async def test_a_handler_that_takes_too_long_gets_the_message_again(
    redis_server: str, topic: str, subscriber: Subscriber
) -> None:
    subscriber.gates[b"slow"] = asyncio.Event()
    async with (
        _opened(redis_server, processingTimeout="300ms") as pubsub,
        pubsub.subscribe(topic, subscriber, {}),
    ):
        await pubsub.publish(topic, b"slow", {})
        await subscriber.gets(2)
        subscriber.gates[b"slow"].set()
    assert subscriber.cancelled[:1] == [b"slow"]
    assert [message.attempt for message in subscriber.deliveries] == [1, 2]


async def test_a_server_that_is_killed_loses_nothing_and_is_waited_for(
    start_redis: StartRedis, topic: str, subscriber: Subscriber
) -> None:
    subscriber.answers[b"again"] = [Delivery.RETRY, Delivery.RETRY]
    subscriber.gates[b"in hand"] = asyncio.Event()
    with start_redis() as server:
        async with (
            _opened(server.address) as pubsub,
            pubsub.subscribe(topic, subscriber, {}),
        ):
            await pubsub.publish(topic, b"in hand", {})
            await pubsub.publish(topic, b"again", {})
            await subscriber.gets(2)
            server.kill()
            with pytest.raises(BackendUnavailable, match="does not answer"):
                await pubsub.publish(topic, b"lost", {})
            subscriber.gates[b"in hand"].set()
            server.restart()
            await pubsub.publish(topic, b"later", {})
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                while not (subscriber.data.count(b"again") == 3 and b"later" in subscriber.data):
                    await subscriber.gets(len(subscriber.deliveries) + 1)
            async with _client(server.address) as client:
                await _all_taken(client, topic)
    assert b"lost" not in subscriber.data
    assert subscriber.data.count(b"in hand") == 1


async def test_a_group_that_is_gone_is_made_again(
    redis_server: str, topic: str, subscriber: Subscriber
) -> None:
    async with (
        _opened(redis_server) as pubsub,
        _client(redis_server) as client,
        pubsub.subscribe(topic, subscriber, {}),
    ):
        await client.delete(topic)
        await pubsub.publish(topic, b"after", {})
        await subscriber.gets(1)
    assert subscriber.data == [b"after"]


async def test_a_limit_removes_the_oldest_and_is_told(
    redis_server: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with _opened(redis_server, maxLenApprox="1") as pubsub, _client(redis_server) as client:
        for number in range(300):
            await pubsub.publish(topic, b"%d" % number, {})
        assert await client.xlen(topic) < 300
    assert "removes messages by maxLenApprox or streamTTL" in caplog.text


async def test_a_handler_that_takes_many_together_has_as_many_at_once(
    redis_server: str, topic: str, subscriber: Subscriber
) -> None:
    datas = [b"%d" % number for number in range(25)]
    subscriber.gates = {data: asyncio.Event() for data in datas}
    together = {MOST_AT_ONCE: "25"}
    async with _opened(redis_server) as pubsub, pubsub.subscribe(topic, subscriber, together):
        for data in datas:
            await pubsub.publish(topic, data, {})
        await subscriber.gets(25)
    assert sorted(subscriber.data) == sorted(datas)


def test_how_many_are_taken_together_is_read_from_the_metadata() -> None:
    told = ["", "0", "1", "100", "1001", "-5", "many", "9" * 40]
    read = [most_at_once({MOST_AT_ONCE: text}) for text in told]
    assert read == [1, 1, 1, 100, 1000, 1, 1, 1]
    assert most_at_once({}) == 1
