"""Publishing over gRPC, and streams of events (docs/protocol.md §16)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError

from flowyard.blocks.broker import Trace
from flowyard.config.subscriptions import Rule, Subscription
from flowyard.errors import FlowyardError, InvalidRequest, TopicForbidden
from flowyard.runtime import Runtime
from flowyard.server.block_errors import BlockError
from flowyard.server.grpc.blocks import Requests
from flowyard.server.not_served import NotServed
from flowyard.server.pubsub.bulk import Entry, publish_all
from flowyard.server.pubsub.delivery import Answer, Parcel
from flowyard.server.pubsub.faults import broker_of, envelope_of, forbidden, send
from flowyard.server.pubsub.subscriptions import Active, Subscriptions
from flowyard.server.pubsub.topic_events import ANSWERS, topic_event
from flowyard.wire.v1 import pubsub_pb2 as wire

logger = logging.getLogger(__name__)

_STREAM = "ERR_PUBSUB_STREAM"

Context = grpc.aio.ServicerContext[Any, Any]


class PubSubService:
    """The methods of Dapr's service that publish and subscribe."""

    def __init__(self, runtime: Runtime, subscriptions: Subscriptions) -> None:
        self._blocks = runtime.blocks
        self._subscriptions = subscriptions

    async def publish(self, request: wire.PublishEventRequest, context: Context) -> Empty:
        """Publish an event."""
        broker = broker_of(self._blocks, request.pubsub_name, request.topic)
        metadata = dict(request.metadata)
        event = envelope_of(
            broker,
            request.topic,
            request.data,
            request.data_content_type,
            metadata,
            _trace(context),
        )
        await send(broker, request.topic, event, metadata)
        return Empty()

    async def publish_bulk(
        self, request: wire.BulkPublishRequest, context: Context
    ) -> wire.BulkPublishResponse:
        """Publish several events; the answer has those that were not."""
        broker = broker_of(self._blocks, request.pubsub_name, request.topic)
        entries = [
            Entry(entry.entry_id, entry.event, entry.content_type, dict(entry.metadata))
            for entry in request.entries
        ]
        failed = await publish_all(
            broker, request.topic, entries, dict(request.metadata), _trace(context)
        )
        return wire.BulkPublishResponse(
            failed_entries=[
                wire.BulkPublishFailure(entry_id=entry_id, error=error)
                for entry_id, error in failed.items()
            ]
        )

    async def subscribe(self, requests: Requests, context: Context) -> None:
        """Send the events of a topic, until the client hangs up."""
        asked = _read(await requests.first()).initial_request
        if asked.pubsub_name not in self._blocks.brokers:
            self._refuse_unknown(asked)
        messages = aiter(requests)
        first = await _next(messages)
        if first is None or not first.HasField("initial_request"):
            raise _bad_stream("initial request is required")
        for name, value in (("pubsubName", asked.pubsub_name), ("topic", asked.topic)):
            if not value:
                raise _bad_stream(f"{name} is required")
        subscription = Subscription(
            asked.pubsub_name,
            asked.topic,
            (Rule("", "/"),),
            asked.dead_letter_topic,
            dict(asked.metadata),
        )
        stream = _Stream(context)
        broker = broker_of(self._blocks, asked.pubsub_name, asked.topic)
        if not broker.scopes.may_subscribe(asked.topic):
            raise forbidden(TopicForbidden(asked.topic, broker.app_id), broker.name)
        try:
            subscriber = self._subscriptions.subscriber(subscription, stream)
        except FlowyardError as error:
            raise BlockError(400, _STREAM, "INVALID_ARGUMENT", str(error)) from error
        active = Active(subscription, "STREAMING")
        self._subscriptions.active.append(active)
        await stream.send(wire.SubscribeResponse(initial_response=wire.SubscribeInitialResponse()))
        delivering = asyncio.create_task(subscriber.run())
        try:
            await self._listen(messages, stream)
        finally:
            self._subscriptions.active.remove(active)
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)

    def _refuse_unknown(self, asked: wire.SubscribeInitialRequest) -> None:
        """Raise what a stream is told whose broker is not ours, unless it names none."""
        if not self._blocks.brokers and not self._blocks.unserved:
            text = "pubsub is not configured"
            unknown = BlockError(400, _STREAM, "FAILED_PRECONDITION", text)
            raise NotServed("subscribe", asked.pubsub_name, unknown)
        if asked.pubsub_name and asked.topic:
            broker_of(self._blocks, asked.pubsub_name, asked.topic)

    async def _listen(self, messages: AsyncIterator[bytes], stream: _Stream) -> None:
        while (request := await _next(messages)) is not None:
            if request.HasField("initial_request"):
                raise _bad_stream("duplicate initial request received")
            if request.HasField("event_processed"):
                processed = request.event_processed
                stream.answered(processed.id, ANSWERS.get(processed.status.status, Answer.RETRY))


class _Stream:
    """The client of a stream, who answers events by their IDs, in any order."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._turn = asyncio.Lock()
        self._waiting: dict[str, list[asyncio.Future[Answer]]] = {}

    async def send(self, response: wire.SubscribeResponse) -> None:
        """Send a message; one at a time."""
        async with self._turn:
            await self._context.write(response.SerializeToString())

    def answered(self, event_id: str, answer: Answer) -> None:
        """Take an answer; one of an event that nobody waits for is ignored."""
        waiting = self._waiting.get(event_id)
        if waiting:
            future = waiting.pop(0)
            if not waiting:
                del self._waiting[event_id]
            if not future.done():
                future.set_result(answer)

    async def deliver(self, parcel: Parcel) -> Answer:
        event = topic_event(parcel)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(event.id, []).append(answer)
        try:
            await self.send(wire.SubscribeResponse(event_message=event))
            return await answer
        finally:
            waiting = self._waiting.get(event.id, [])
            if answer in waiting:
                waiting.remove(answer)
                if not waiting:
                    del self._waiting[event.id]

    async def returned(self) -> None:
        """Nobody comes back: the end of the stream ends the subscription."""
        await asyncio.Event().wait()


async def _next(messages: AsyncIterator[bytes]) -> wire.SubscribeRequest | None:
    """Return the next message of a client, None at the end."""
    data = await anext(messages, None)
    return None if data is None else _read(data)


def _read(data: bytes) -> wire.SubscribeRequest:
    try:
        return wire.SubscribeRequest.FromString(data)
    except DecodeError as error:
        raise InvalidRequest(f"the message is not a SubscribeRequest: {error}") from error


def _bad_stream(text: str) -> BlockError:
    return BlockError(400, _STREAM, "UNKNOWN", text)


def _trace(context: Context) -> Trace:
    metadata: Mapping[str, Any] = dict(context.invocation_metadata() or ())
    return Trace(str(metadata.get("traceparent", "")), str(metadata.get("tracestate", "")))
