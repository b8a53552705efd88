"""What is told to those whose message is not published, in Dapr's words (docs/protocol.md §16)."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from flowyard.blocks.blocks import Blocks
from flowyard.blocks.broker import NO_TRACE, Broker, Trace
from flowyard.blocks.cloud_events import is_raw
from flowyard.errors import FlowyardError, InvalidRequest, PayloadError, TopicForbidden

_Code = grpc.StatusCode


class PubSubFault(Exception):
    """An error as HTTP and gRPC show it: `reason` is that of gRPC's ErrorInfo."""

    def __init__(
        self, status: int, grpc_code: grpc.StatusCode, code: str, reason: str, message: str
    ) -> None:
        super().__init__(message)
        self.status = status
        self.grpc_code = grpc_code
        self.code = code
        self.reason = reason
        self.message = message


def broker_of(blocks: Blocks, name: str, topic: str) -> Broker:
    """Return the broker that a call names; raise `PubSubFault`."""
    if not name:
        raise PubSubFault(
            404,
            _Code.INVALID_ARGUMENT,
            "ERR_PUBSUB_EMPTY",
            "DAPR_PUBSUB_NAME_EMPTY",
            "pubsub name is empty",
        )
    broker = blocks.brokers.get(name)
    if broker is None:
        raise _unknown(blocks, name)
    if not topic:
        raise PubSubFault(
            404,
            _Code.INVALID_ARGUMENT,
            "ERR_TOPIC_NAME_EMPTY",
            "DAPR_PUBSUB_TOPIC_NAME_EMPTY",
            f"topic is empty in pubsub {name}",
        )
    return broker


def _unknown(blocks: Blocks, name: str) -> PubSubFault:
    why = f": {blocks.unserved[name]}" if name in blocks.unserved else ""
    if not blocks.brokers:
        return PubSubFault(
            400,
            _Code.FAILED_PRECONDITION,
            "ERR_PUBSUB_NOT_CONFIGURED",
            "DAPR_PUBSUB_NOT_CONFIGURED",
            f"pubsub {name} is not configured{why}",
        )
    return PubSubFault(
        404,
        _Code.INVALID_ARGUMENT,
        "ERR_PUBSUB_NOT_FOUND",
        "DAPR_PUBSUB_NOT_FOUND",
        f"pubsub {name} is not found{why}",
    )


def unreadable(topic: str, name: str, error: object) -> PubSubFault:
    """Return the fault of a bulk request that is not what it has to be."""
    return PubSubFault(
        400,
        _Code.INVALID_ARGUMENT,
        "ERR_PUBSUB_EVENTS_SER",
        "DAPR_PUBSUB_UNMARSHAL_EVENTS",
        f"error when unmarshaling the request for topic {topic} pubsub {name}: {error}",
    )


def envelope_of(
    broker: Broker,
    topic: str,
    data: bytes,
    content_type: str,
    metadata: Mapping[str, str],
    trace: Trace = NO_TRACE,
) -> bytes:
    """Return the event that is published; raise `PubSubFault`."""
    try:
        is_raw(metadata)
    except InvalidRequest as error:
        raise PubSubFault(
            400,
            _Code.INVALID_ARGUMENT,
            "ERR_PUBSUB_REQUEST_METADATA",
            "DAPR_PUBSUB_METADATA_DESERIALIZATION",
            f"failed deserializing metadata. Error: {error}",
        ) from error
    try:
        return broker.envelope(
            topic, data, content_type=content_type, metadata=metadata, trace=trace
        )
    except PayloadError as error:
        raise PubSubFault(
            500,
            _Code.INVALID_ARGUMENT,
            "ERR_PUBSUB_CLOUD_EVENTS_SER",
            "DAPR_PUBSUB_CLOUD_EVENT_CREATION",
            f"cannot create cloudevent: {error}",
        ) from error


async def send(broker: Broker, topic: str, event: bytes, metadata: Mapping[str, str]) -> None:
    """Publish an event; raise `PubSubFault`."""
    try:
        await broker.send(topic, event, metadata)
    except TopicForbidden as error:
        raise forbidden(error) from error
    except FlowyardError as error:
        raise PubSubFault(
            500,
            _Code.INTERNAL,
            "ERR_PUBSUB_PUBLISH_MESSAGE",
            "DAPR_PUBSUB_PUBLISH_MESSAGE",
            f"error when publishing to topic {topic} in pubsub {broker.name}: {error}",
        ) from error


def forbidden(error: TopicForbidden) -> PubSubFault:
    """Return the fault of a topic that the application may not use."""
    return PubSubFault(
        403,
        _Code.PERMISSION_DENIED,
        "ERR_PUBSUB_FORBIDDEN",
        "DAPR_PUBSUB_FORBIDDEN",
        str(error),
    )
