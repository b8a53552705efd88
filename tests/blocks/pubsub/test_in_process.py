"""Publishing without a sidecar, and the IDs of what an activity publishes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flowyard import (
    ActivityContext,
    App,
    RetryPolicy,
    Runtime,
    SyncRuntime,
    WorkflowContext,
)
from flowyard.backend.pubsub import Delivery, Message
from flowyard.calls.event_ids import event_id
from flowyard.config import ComponentSpec
from flowyard.errors import (
    ComponentNotFound,
    ComponentTypeNotInstalled,
    InvalidRequest,
    PayloadError,
    TopicForbidden,
)


def _specs(folder: Path, **metadata: str) -> list[ComponentSpec]:
    file = {"connectionString": f"sqlite:///{folder}/flowyard.db"}
    return [
        ComponentSpec(name="engine", type="workflow.engine", metadata=file),
        ComponentSpec(name="orderpubsub", type="pubsub.in-memory", metadata=metadata),
        ComponentSpec(name="kafka", type="pubsub.kafka"),
    ]


async def _event(runtime: Runtime) -> Mapping[str, Any]:
    """Return the next event of `orders`."""
    return (await _events(runtime, 1))[0]


async def _events(runtime: Runtime, number: int) -> list[Mapping[str, Any]]:
    """Return the events of `orders`, of which there are so many."""
    found: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(message: Message) -> Delivery:
        await found.put(message.data)
        return Delivery.DONE

    pubsub = runtime.blocks.brokers["orderpubsub"].pubsub
    async with asyncio.timeout(30), pubsub.subscribe("orders", take, {}):
        return [json.loads(await found.get()) for _ in range(number)]


@pytest.mark.parametrize(
    ("data", "given", "content_type", "published"),
    [
        ({"orderId": 1}, "", "application/json", {"orderId": 1}),
        (None, "", "application/json", None),
        ("text", "", "text/plain", "text"),
        (b"bytes", "", "text/plain", "bytes"),
        ('{"orderId": 1}', "application/json", "application/json", {"orderId": 1}),
    ],
)
async def test_a_value_is_published_as_what_it_is(
    tmp_path: Path, data: object, given: str, content_type: str, published: object
) -> None:
    async with Runtime.open(_specs(tmp_path), app_id="checkout") as runtime:
        await runtime.publish_event("orderpubsub", "orders", data, data_content_type=given)
        event = await _event(runtime)
    assert (event["data"], event["datacontenttype"]) == (published, content_type)
    assert (event["source"], event["topic"]) == ("checkout", "orders")


def test_it_is_published_without_await_too(tmp_path: Path) -> None:
    with SyncRuntime.open(_specs(tmp_path)) as runtime:
        runtime.publish_event(
            "orderpubsub", "orders", {"orderId": 1}, publish_metadata={"ttl": "1m"}
        )
        with pytest.raises(ComponentNotFound):
            runtime.publish_event("other", "orders", 1)


@pytest.mark.parametrize(
    ("pubsub", "topic", "data", "metadata", "error"),
    [
        ("other", "orders", 1, {}, ComponentNotFound),
        ("kafka", "orders", 1, {}, ComponentTypeNotInstalled),
        ("orderpubsub", "secret", 1, {}, TopicForbidden),
        ("orderpubsub", "", 1, {}, InvalidRequest),
        ("orderpubsub", "orders", 1, {"rawPayload": "perhaps"}, InvalidRequest),
        ("orderpubsub", "orders", object(), {}, PayloadError),
    ],
)
async def test_what_cannot_be_published_raises(
    tmp_path: Path,
    pubsub: str,
    topic: str,
    data: object,
    metadata: dict[str, str],
    error: type[Exception],
) -> None:
    async with Runtime.open(_specs(tmp_path, protectedTopics="secret")) as runtime:
        with pytest.raises(error):
            await runtime.publish_event(pubsub, topic, data, metadata)


async def test_a_repetition_of_an_activity_publishes_the_same_events(tmp_path: Path) -> None:
    app = App()

    @app.activity
    async def announce(ctx: ActivityContext) -> str:
        for number in range(2):
            await ctx.publish_event("orderpubsub", "orders", number)
        await ctx.publish_event("orderpubsub", "orders", 2, {"cloudevent.id": "given"})
        if ctx.attempt == 1:
            raise ValueError("not yet")
        return ctx.task_execution_id

    @app.activity
    def announce_in_a_thread(ctx: ActivityContext) -> str:
        ctx.sync.publish_event("orderpubsub", "orders", "text")
        return ctx.task_execution_id

    @app.workflow
    async def announcing(ctx: WorkflowContext) -> list[str]:
        twice = RetryPolicy(first_retry_interval=timedelta(0), max_number_of_attempts=2)
        first = await ctx.call_activity(announce, retry_policy=twice)
        return [first, await ctx.call_activity(announce_in_a_thread)]

    async with Runtime.open(_specs(tmp_path), app) as runtime:
        executions = (await runtime.wait(await runtime.start(announcing))).result(list[str])
        ids = [event["id"] for event in await _events(runtime, 7)]
    numbered = [event_id(executions[0], "orderpubsub", "orders", number) for number in (1, 2)]
    last = event_id(executions[1], "orderpubsub", "orders", 1)
    assert ids == [*numbered, "given", *numbered, "given", last]


def test_the_id_of_an_event_is_final() -> None:
    # Others may remember it for longer than a version of ours lives.
    assert event_id("one", "pubsub", "topic", 1) == "66a7750d-14e7-5d50-bced-86f1f7476ef8"
    calls = [("one", "p", "t", 1), ("two", "p", "t", 1), ("one", "q", "t", 1), ("one", "p", "u", 1)]
    assert len({event_id(*call) for call in [*calls, ("one", "p", "t", 2)]}) == 5
