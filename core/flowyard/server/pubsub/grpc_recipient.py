"""Events for an application that speaks gRPC (docs/protocol.md §16)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty

from flowyard.config.subscriptions import BulkOptions, Rule, Subscription
from flowyard.errors import BackendUnavailable
from flowyard.server.app import wait_for_app
from flowyard.server.app_channel import AppAddress
from flowyard.server.grpc_app import CALLBACK, CALLBACK_ALPHA, GrpcApp
from flowyard.server.pubsub.delivery import Answer, Parcel
from flowyard.server.pubsub.topic_events import ANSWERS, bulk_topic_event, topic_event
from flowyard.wire.v1 import pubsub_pb2 as wire

logger = logging.getLogger(__name__)


class GrpcRecipient:
    """Calls OnTopicEvent for each event."""

    def __init__(self, app: GrpcApp, address: AppAddress) -> None:
        self._app = app
        self._address = address

    async def subscriptions(self) -> Sequence[Subscription]:
        """Return what the application subscribes to; raises `BackendUnavailable`."""
        try:
            found = await self._app.ask(
                f"{CALLBACK}/ListTopicSubscriptions", Empty(), wire.ListTopicSubscriptionsResponse
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return ()
            raise BackendUnavailable(
                f"the application at {self._address.location} answers ListTopicSubscriptions with "
                f"{error.code().name}: {error.details()}"
            ) from error
        return [_subscription(item) for item in found.subscriptions]

    async def deliver(self, parcel: Parcel) -> Answer:
        try:
            found = await self._app.ask(
                f"{CALLBACK}/OnTopicEvent", topic_event(parcel), wire.TopicEventResponse
            )
        except grpc.aio.AioRpcError as error:
            logger.warning(
                "an event of topic '%s' was not taken: the application answers %s: %s",
                parcel.topic,
                error.code().name,
                error.details(),
            )
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return Answer.DROP
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                # gRPC does not tell whether it had the event. Not again before it is there.
                await wait_for_app(self._address)
            return Answer.RETRY
        return ANSWERS.get(found.status, Answer.RETRY)

    async def deliver_all(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        ids, request = bulk_topic_event(parcels)
        try:
            found = await self._bulk(request)
        except grpc.aio.AioRpcError as error:
            logger.warning(
                "%d events of topic '%s' were not taken: the application answers %s: %s",
                len(parcels),
                request.topic,
                error.code().name,
                error.details(),
            )
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return [Answer.DROP] * len(parcels)
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                await wait_for_app(self._address)
            return [Answer.RETRY] * len(parcels)
        told = {item.entry_id: ANSWERS.get(item.status, Answer.RETRY) for item in found.statuses}
        return [told.get(entry_id, Answer.RETRY) for entry_id in ids]

    async def _bulk(self, request: wire.BulkTopicEventRequest) -> wire.BulkTopicEventResponse:
        answer = wire.BulkTopicEventResponse
        try:
            return await self._app.ask(f"{CALLBACK}/OnBulkTopicEvent", request, answer)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise
        return await self._app.ask(f"{CALLBACK_ALPHA}/OnBulkTopicEventAlpha1", request, answer)

    async def returned(self) -> None:
        await wait_for_app(self._address)


def _subscription(item: wire.TopicSubscription) -> Subscription:
    rules = [Rule(rule.match, rule.path) for rule in item.routes.rules]
    if item.routes.default or not rules:
        # Python's SDK finds what handles a topic by the path, and knows no "/".
        rules.append(Rule("", item.routes.default))
    bulk = item.bulk_subscribe
    return Subscription(
        item.pubsub_name,
        item.topic,
        tuple(rules),
        item.dead_letter_topic,
        dict(item.metadata),
        BulkOptions(bulk.max_messages_count or 100, bulk.max_await_duration_ms or 1000)
        if bulk.enabled
        else None,
    )
