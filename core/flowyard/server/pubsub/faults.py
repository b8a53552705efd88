"""What is told to those whose message is not published, in Dapr's words (docs/protocol.md §16)."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.blocks.blocks import Blocks
from flowyard.blocks.broker import NO_TRACE, Broker, Trace
from flowyard.blocks.cloud_events import is_raw
from flowyard.errors import FlowyardError, InvalidRequest, PayloadError, TopicForbidden
from flowyard.server.block_errors import BlockError, resource
from flowyard.server.not_served import NotServed


def broker_of(blocks: Blocks, name: str, topic: str) -> Broker:
    """Return the broker that a call names; raise `BlockError`, or `NotServed` if it is not ours."""
    if not name:
        raise _fault(
            404,
            "INVALID_ARGUMENT",
            "ERR_PUBSUB_EMPTY",
            "DAPR_PUBSUB_NAME_EMPTY",
            "pubsub name is empty",
        )
    broker = blocks.brokers.get(name)
    if broker is None:
        raise NotServed("publish", name, _unknown(blocks, name))
    if not topic:
        raise _fault(
            404,
            "INVALID_ARGUMENT",
            "ERR_TOPIC_NAME_EMPTY",
            "DAPR_PUBSUB_TOPIC_NAME_EMPTY",
            f"topic is empty in pubsub {name}",
            name,
        )
    return broker


def _unknown(blocks: Blocks, name: str) -> BlockError:
    if name in blocks.unserved or not blocks.brokers:
        return _fault(
            400,
            "FAILED_PRECONDITION",
            "ERR_PUBSUB_NOT_CONFIGURED",
            "DAPR_PUBSUB_NOT_CONFIGURED",
            f"pubsub {name} is not configured",
            name,
        )
    return _fault(
        404,
        "INVALID_ARGUMENT",
        "ERR_PUBSUB_NOT_FOUND",
        "DAPR_PUBSUB_NOT_FOUND",
        f"pubsub {name} is not found",
        name,
    )


def _fault(
    status: int, grpc_code: str, code: str, reason: str, message: str, name: str = ""
) -> BlockError:
    details = [resource("pubsub", name)] if name else []
    return BlockError(status, code, grpc_code, message, reason=reason, details=details)


def unreadable(topic: str, name: str, error: object) -> BlockError:
    """Return the fault of a bulk request that is not what it has to be."""
    return _fault(
        400,
        "INVALID_ARGUMENT",
        "ERR_PUBSUB_EVENTS_SER",
        "DAPR_PUBSUB_UNMARSHAL_EVENTS",
        f"error when unmarshaling the request for topic {topic} pubsub {name}: {error}",
        name,
    )


def envelope_of(
    broker: Broker,
    topic: str,
    data: bytes,
    content_type: str,
    metadata: Mapping[str, str],
    trace: Trace = NO_TRACE,
) -> bytes:
    """Return the event that is published; raise `BlockError`."""
    try:
        is_raw(metadata)
    except InvalidRequest as error:
        raise _fault(
            400,
            "INVALID_ARGUMENT",
            "ERR_PUBSUB_REQUEST_METADATA",
            "DAPR_PUBSUB_METADATA_DESERIALIZATION",
            f"failed deserializing metadata. Error: {error}",
            broker.name,
        ) from error
    try:
        return broker.envelope(
            topic, data, content_type=content_type, metadata=metadata, trace=trace
        )
    except PayloadError as error:
        raise _fault(
            500,
            "INVALID_ARGUMENT",
            "ERR_PUBSUB_CLOUD_EVENTS_SER",
            "DAPR_PUBSUB_CLOUD_EVENT_CREATION",
            f"cannot create cloudevent: {error}",
            broker.name,
        ) from error


async def send(broker: Broker, topic: str, event: bytes, metadata: Mapping[str, str]) -> None:
    """Publish an event; raise `BlockError`."""
    try:
        await broker.send(topic, event, metadata)
    except TopicForbidden as error:
        raise forbidden(error, broker.name) from error
    except FlowyardError as error:
        raise _fault(
            500,
            "INTERNAL",
            "ERR_PUBSUB_PUBLISH_MESSAGE",
            "DAPR_PUBSUB_PUBLISH_MESSAGE",
            f"error when publishing to topic {topic} in pubsub {broker.name}: {error}",
            broker.name,
        ) from error


def forbidden(error: TopicForbidden, name: str) -> BlockError:
    """Return the fault of a topic that the application may not use."""
    return _fault(
        403,
        "PERMISSION_DENIED",
        "ERR_PUBSUB_FORBIDDEN",
        "DAPR_PUBSUB_FORBIDDEN",
        str(error),
        name,
    )
