"""Publishing over gRPC, and streams of events (docs/protocol.md §16)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError

from flowyard.blocks.broker import Trace
from flowyard.config.subscriptions import Rule, Subscription
from flowyard.errors import FlowyardError, TopicForbidden
from flowyard.runtime import Runtime
from flowyard.server.pubsub.bulk import Entry, publish_all
from flowyard.server.pubsub.delivery import Answer, Parcel
from flowyard.server.pubsub.faults import PubSubFault, broker_of, envelope_of, forbidden, send
from flowyard.server.pubsub.subscriptions import Active, Subscriptions
from flowyard.server.pubsub.topic_events import ANSWERS, topic_event
from flowyard.wire.v1 import pubsub_pb2 as wire

logger = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]


class PubSubService:
    """The methods of Dapr's service that publish and subscribe."""

    def __init__(self, runtime: Runtime, subscriptions: Subscriptions) -> None:
        self._blocks = runtime.blocks
        self._subscriptions = subscriptions

    async def publish(self, request: wire.PublishEventRequest, context: Context) -> Empty:
        """Publish an event."""
        try:
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
        except PubSubFault as fault:
            await refuse(context, fault)
        return Empty()

    async def publish_bulk(
        self, request: wire.BulkPublishRequest, context: Context
    ) -> wire.BulkPublishResponse:
        """Publish several events; the answer has those that were not."""
        try:
            broker = broker_of(self._blocks, request.pubsub_name, request.topic)
            entries = [
                Entry(entry.entry_id, entry.event, entry.content_type, dict(entry.metadata))
                for entry in request.entries
            ]
            failed = await publish_all(
                broker, request.topic, entries, dict(request.metadata), _trace(context)
            )
        except PubSubFault as fault:
            await refuse(context, fault)
        return wire.BulkPublishResponse(
            failed_entries=[
                wire.BulkPublishFailure(entry_id=entry_id, error=error)
                for entry_id, error in failed.items()
            ]
        )

    async def subscribe(self, requests: AsyncIterator[bytes], context: Context) -> None:
        """Send the events of a topic, until the client hangs up."""
        first = await _next(requests, context)
        if not self._blocks.brokers and not self._blocks.unserved:
            text = "pubsub is not configured"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)
        if first is None or not first.HasField("initial_request"):
            await context.abort(grpc.StatusCode.UNKNOWN, "initial request is required")
        asked = first.initial_request
        for name, value in (("pubsubName", asked.pubsub_name), ("topic", asked.topic)):
            if not value:
                await context.abort(grpc.StatusCode.UNKNOWN, f"{name} is required")
        subscription = Subscription(
            asked.pubsub_name,
            asked.topic,
            (Rule("", "/"),),
            asked.dead_letter_topic,
            dict(asked.metadata),
        )
        stream = _Stream(context)
        try:
            broker = broker_of(self._blocks, asked.pubsub_name, asked.topic)
            if not broker.scopes.may_subscribe(asked.topic):
                raise forbidden(TopicForbidden(asked.topic, broker.app_id))
            subscriber = self._subscriptions.subscriber(subscription, stream)
        except PubSubFault as fault:
            await refuse(context, fault)
        except FlowyardError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise
        active = Active(subscription, "STREAMING")
        self._subscriptions.active.append(active)
        await stream.send(wire.SubscribeResponse(initial_response=wire.SubscribeInitialResponse()))
        delivering = asyncio.create_task(subscriber.run())
        try:
            await self._listen(requests, stream, context)
        finally:
            self._subscriptions.active.remove(active)
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)

    async def _listen(
        self, requests: AsyncIterator[bytes], stream: _Stream, context: Context
    ) -> None:
        while (request := await _next(requests, context)) is not None:
            if request.HasField("initial_request"):
                await context.abort(grpc.StatusCode.UNKNOWN, "duplicate initial request received")
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


async def _next(requests: AsyncIterator[bytes], context: Context) -> wire.SubscribeRequest | None:
    """Return the next message of a client, None at the end."""
    data = await anext(requests, None)
    if data is None:
        return None
    try:
        return wire.SubscribeRequest.FromString(data)
    except DecodeError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no request: {error}")
    raise AssertionError("abort raises")


async def refuse(context: Context, fault: PubSubFault) -> NoReturn:
    """Tell the caller why."""
    await context.abort(fault.grpc_code, fault.message)
    raise AssertionError("abort raises")


def _trace(context: Context) -> Trace:
    metadata: Mapping[str, Any] = dict(context.invocation_metadata() or ())
    return Trace(str(metadata.get("traceparent", "")), str(metadata.get("tracestate", "")))
