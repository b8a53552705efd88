"""Pub/sub over gRPC: publishing, streams, and an application that speaks it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty

from flowyard.wire.v1 import management_pb2 as management
from flowyard.wire.v1 import pubsub_pb2 as wire
from servers.process import free_port
from wire.pubsub.sidecar import Sidecar, beside, components

_DAPR = "/dapr.proto.runtime.v1.Dapr"


class _Stream:
    """One call of SubscribeTopicEventsAlpha1."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._call: Any = channel.stream_stream(
            f"{_DAPR}/SubscribeTopicEventsAlpha1",
            wire.SubscribeRequest.SerializeToString,
            wire.SubscribeResponse.FromString,
        )()

    async def begin(self, topic: str, dead_letter_topic: str | None = None) -> None:
        """Subscribe, and return once that is answered."""
        asked = wire.SubscribeInitialRequest(
            pubsub_name="orderpubsub", topic=topic, dead_letter_topic=dead_letter_topic
        )
        await self._call.write(wire.SubscribeRequest(initial_request=asked))
        assert (await self._call.read()).HasField("initial_response")

    async def event(self) -> wire.TopicEventRequest:
        """Return the next event."""
        async with asyncio.timeout(30):
            answer: wire.SubscribeResponse = await self._call.read()
        return answer.event_message

    async def answer(self, event_id: str, status: wire.TopicEventStatus) -> None:
        """Say what becomes of an event."""
        processed = wire.SubscribeEventProcessed(
            id=event_id, status=wire.TopicEventResponse(status=status)
        )
        await self._call.write(wire.SubscribeRequest(event_processed=processed))

    def cancel(self) -> None:
        """Hang up."""
        self._call.cancel()

    async def error(self) -> tuple[grpc.StatusCode, str]:
        """Return how it ended."""
        return await self._call.code(), await self._call.details()


@asynccontextmanager
async def _served(folder: Path, **options: Any) -> AsyncIterator[tuple[Sidecar, grpc.aio.Channel]]:
    async with beside(folder, options.pop("app_port", None), **options) as sidecar:
        assert sidecar.served.grpc is not None
        async with grpc.aio.insecure_channel(sidecar.served.grpc) as channel:
            yield sidecar, channel


async def _publish(channel: grpc.aio.Channel, request: wire.PublishEventRequest) -> None:
    call: Any = channel.unary_unary(
        f"{_DAPR}/PublishEvent", wire.PublishEventRequest.SerializeToString, Empty.FromString
    )
    await call(request)


async def _metadata(channel: grpc.aio.Channel) -> management.GetMetadataResponse:
    call: Any = channel.unary_unary(
        f"{_DAPR}/GetMetadata",
        Empty.SerializeToString,
        management.GetMetadataResponse.FromString,
    )
    found: management.GetMetadataResponse = await call(Empty(), timeout=30)
    return found


def _order(data: bytes, topic: str = "orders", pubsub: str = "orderpubsub") -> Any:
    return wire.PublishEventRequest(
        pubsub_name=pubsub, topic=topic, data=data, data_content_type="application/json"
    )


async def test_a_stream_gets_events_and_answers_them_in_any_order(tmp_path: Path) -> None:
    async with _served(components(tmp_path)) as (_, channel):
        stream = _Stream(channel)
        await stream.begin("orders")
        await _publish(channel, _order(b'{"n": 1.10}'))
        first = await stream.event()
        told = await _metadata(channel)
        assert [(item.topic, item.type) for item in told.subscriptions] == [
            ("orders", management.STREAMING)
        ]
        await _publish(channel, _order(b'{"n": 2}'))
        second = await stream.event()
        await stream.answer(second.id, wire.TOPIC_EVENT_SUCCESS)
        await stream.answer("unknown", wire.TOPIC_EVENT_SUCCESS)
        await stream.answer(first.id, wire.TOPIC_EVENT_RETRY)
        again = await stream.event()
        stream.cancel()
    assert (first.data, second.data) == (b'{"n": 1.10}', b'{"n": 2}')
    assert again == first
    assert (first.topic, first.pubsub_name, first.path) == ("orders", "orderpubsub", "/")
    assert (first.source, first.type) == ("checkout", "com.dapr.event.sent")
    assert (first.spec_version, first.data_content_type) == ("1.0", "application/json")
    extensions = json_format.MessageToDict(first.extensions)
    assert extensions.pop("time")
    assert extensions == {
        "topic": "orders",
        "pubsubname": "orderpubsub",
        "traceid": "",
        "traceparent": "",
        "tracestate": "",
    }


async def test_what_a_stream_leaves_goes_to_the_next_one(tmp_path: Path) -> None:
    async with _served(components(tmp_path)) as (_, channel):
        stream, later = _Stream(channel), _Stream(channel)
        await stream.begin("orders")
        await _publish(channel, _order(b"1"))
        left = await stream.event()
        stream.cancel()
        await later.begin("orders")
        assert await later.event() == left
        later.cancel()


async def test_what_a_stream_drops_goes_to_its_dead_letter_topic(tmp_path: Path) -> None:
    async with _served(components(tmp_path)) as (_, channel):
        stream, dead = _Stream(channel), _Stream(channel)
        await stream.begin("orders", "dead")
        await dead.begin("dead")
        await _publish(channel, _order(b"1"))
        event = await stream.event()
        await stream.answer(event.id, wire.TOPIC_EVENT_DROP)
        assert (await dead.event()).id == event.id
        stream.cancel()
        dead.cancel()


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (_order(b"", pubsub="other"), "INVALID_ARGUMENT", "pubsub other is not found"),
        (_order(b"", topic=""), "INVALID_ARGUMENT", "topic is empty in pubsub orderpubsub"),
        (_order(b"", pubsub=""), "INVALID_ARGUMENT", "pubsub name is empty"),
        (
            _order(b"", topic="secret"),
            "PERMISSION_DENIED",
            "topic secret is not allowed for app id checkout",
        ),
    ],
)
async def test_what_cannot_be_published_has_daprs_status(
    tmp_path: Path, request_: wire.PublishEventRequest, code: str, message: str
) -> None:
    folder = components(tmp_path, metadata={"allowedTopics": "orders"})
    async with _served(folder) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await _publish(channel, request_)
    assert raised.value.code().name == code
    assert (raised.value.details() or "").startswith(message)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (wire.SubscribeRequest(), "initial request is required"),
        (
            wire.SubscribeRequest(initial_request=wire.SubscribeInitialRequest(topic="a")),
            "pubsubName is required",
        ),
        (
            wire.SubscribeRequest(initial_request=wire.SubscribeInitialRequest(pubsub_name="a")),
            "topic is required",
        ),
    ],
)
async def test_a_stream_that_asks_for_nothing_is_refused(
    tmp_path: Path, asked: wire.SubscribeRequest, message: str
) -> None:
    async with _served(components(tmp_path)) as (_, channel):
        stream = _Stream(channel)
        await stream._call.write(asked)
        assert await stream.error() == (grpc.StatusCode.UNKNOWN, message)


async def test_several_messages_are_published_in_one_call(tmp_path: Path) -> None:
    async with _served(components(tmp_path)) as (_, channel):
        stream = _Stream(channel)
        await stream.begin("orders")
        call: Any = channel.unary_unary(
            f"{_DAPR}/BulkPublishEvent",
            wire.BulkPublishRequest.SerializeToString,
            wire.BulkPublishResponse.FromString,
        )
        entries = [
            wire.BulkPublishEntry(entry_id=str(n), event=b"%d" % n, content_type="application/json")
            for n in range(3)
        ]
        request = wire.BulkPublishRequest(
            pubsub_name="orderpubsub", topic="orders", entries=entries
        )
        assert not (await call(request)).failed_entries
        got = [(await stream.event()).data for _ in range(3)]
        stream.cancel()
    assert got == [b"0", b"1", b"2"]


class _App(grpc.GenericRpcHandler):
    """An application over gRPC."""

    def __init__(self, bulk_method: str = "") -> None:
        self.bulks: asyncio.Queue[wire.BulkTopicEventRequest] = asyncio.Queue()
        self._bulk_method = bulk_method
        self._bulk = wire.BulkSubscribeConfig(
            enabled=bool(bulk_method), max_messages_count=3, max_await_duration_ms=3_600_000
        )
        self.answers = [wire.TOPIC_EVENT_RETRY]
        self.events: asyncio.Queue[wire.TopicEventRequest] = asyncio.Queue()
        self.tokens: list[Any] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method.removeprefix("/dapr.proto.runtime.v1.AppCallback/")
        if method == "ListTopicSubscriptions":
            return grpc.unary_unary_rpc_method_handler(self._list)
        if method == "OnTopicEvent":
            return grpc.unary_unary_rpc_method_handler(self._take)
        if self._bulk_method and handler_call_details.method.endswith(self._bulk_method):
            return grpc.unary_unary_rpc_method_handler(self._take_all)
        return None

    async def _list(self, _request: bytes, context: Any) -> bytes:
        self.tokens.append(dict(context.invocation_metadata())["dapr-api-token"])
        subscription = wire.TopicSubscription(
            pubsub_name="orderpubsub",
            topic="orders",
            routes=wire.TopicRoutes(
                rules=[wire.TopicRule(match='event.data.kind == "a"', path="/a")], default="/rest"
            ),
            bulk_subscribe=self._bulk,
        )
        plain = wire.TopicSubscription(pubsub_name="orderpubsub", topic="returns")
        answer = wire.ListTopicSubscriptionsResponse(subscriptions=[subscription, plain])
        return answer.SerializeToString()

    async def _take(self, request: bytes, _context: Any) -> bytes:
        await self.events.put(wire.TopicEventRequest.FromString(request))
        status = self.answers.pop(0) if self.answers else wire.TOPIC_EVENT_SUCCESS
        return wire.TopicEventResponse(status=status).SerializeToString()

    async def _take_all(self, request: bytes, _context: Any) -> bytes:
        """Take the first entry, drop the second, and say nothing of the others."""
        bulk = wire.BulkTopicEventRequest.FromString(request)
        await self.bulks.put(bulk)
        told = zip(bulk.entries, [wire.TOPIC_EVENT_SUCCESS, wire.TOPIC_EVENT_DROP], strict=False)
        statuses = [
            wire.BulkTopicEventEntryStatus(entry_id=entry.entry_id, status=status)
            for entry, status in told
        ]
        return wire.BulkTopicEventResponse(statuses=statuses).SerializeToString()


@asynccontextmanager
async def _beside(app: _App, folder: Path) -> AsyncIterator[grpc.aio.Channel]:
    """Serve an application and, beside it, the API."""
    port = free_port()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((app,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        async with _served(components(folder), app_port=port, protocol="grpc") as (_, channel):
            yield channel
    finally:
        await server.stop(None)


async def test_an_application_over_grpc_gets_its_events(tmp_path: Path) -> None:
    app = _App()
    async with _beside(app, tmp_path) as channel, asyncio.timeout(30):
        await _publish(channel, _order(b'{"kind": "a"}'))
        first = await app.events.get()
        again = await app.events.get()
        await _publish(channel, _order(b'{"kind": "b"}'))
        other = await app.events.get()
        await _publish(channel, _order(b"1", topic="returns"))
        plain = await app.events.get()
    assert first == again
    assert (first.path, json.loads(first.data)) == ("/a", {"kind": "a"})
    assert other.path == "/rest"
    assert (plain.topic, plain.path) == ("returns", "")
    assert app.tokens == ["its own"]


@pytest.mark.parametrize(
    "method", ["AppCallback/OnBulkTopicEvent", "AppCallbackAlpha/OnBulkTopicEventAlpha1"]
)
async def test_an_application_over_grpc_gets_events_together(tmp_path: Path, method: str) -> None:
    app = _App(method)
    async with _beside(app, tmp_path) as channel, asyncio.timeout(30):
        for number in range(3):
            await _publish(channel, _order(b'{"kind": "b", "n": %d}' % number))
        first = await app.bulks.get()
        for number in (3, 4):
            await _publish(channel, _order(b'{"kind": "b", "n": %d}' % number))
        second = await app.bulks.get()
    assert (first.path, first.topic, first.pubsub_name) == ("/rest", "orders", "orderpubsub")
    assert first.type == "com.dapr.event.sent.bulk"
    assert first.id
    events = [entry.cloud_event for entry in first.entries]
    assert [json.loads(event.data)["n"] for event in events] == [0, 1, 2]
    assert {entry.content_type for entry in first.entries} == {"application/cloudevents+json"}
    assert events[0].data_content_type == "application/json"
    assert json_format.MessageToDict(events[0].extensions)["pubsubname"] == "orderpubsub"
    again = sorted(json.loads(entry.cloud_event.data)["n"] for entry in second.entries)
    assert again == [2, 3, 4]


async def test_events_that_an_application_over_grpc_cannot_take_together_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = _App("nothing that is called")
    async with _beside(app, tmp_path) as channel, asyncio.timeout(30):
        for number in range(3):
            await _publish(channel, _order(b'{"kind": "%d"}' % number))
        while "UNIMPLEMENTED" not in caplog.text:
            await _metadata(channel)
    assert app.bulks.empty()
