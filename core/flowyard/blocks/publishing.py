"""Publishing in process, under the names of Dapr's client."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from uuid import NAMESPACE_OID, uuid5

from flowyard.blocks.blocks import Blocks
from flowyard.blocks.broker import Broker
from flowyard.errors import ComponentNotFound, ComponentTypeNotInstalled, InvalidRequest
from flowyard.payload import encode


def find_broker(blocks: Blocks, name: str) -> Broker:
    """Return a broker by its name.

    Raises:
        ComponentNotFound: If there is none of that name.
        ComponentTypeNotInstalled: If there would be one, and its type is not installed.
    """
    broker = blocks.brokers.get(name)
    if broker is not None:
        return broker
    if name in blocks.unserved:
        raise ComponentTypeNotInstalled(blocks.unserved[name])
    raise ComponentNotFound(name, blocks.brokers)


def published_data(data: object, content_type: str) -> tuple[bytes, str]:
    """Return the bytes that are published, and their content type.

    Bytes and text stay as they are. Any other value becomes JSON, whose type is then
    `application/json` unless one is given.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data), content_type
    if isinstance(data, str):
        return data.encode(), content_type
    return encode(data, "data of the message").encode(), content_type or "application/json"


class Publisher:
    """Publishes for a runtime, or for one call of an activity.

    Args:
        blocks: The open components.
        execution_id: What the IDs of events are made of, so that a repetition of the call
            publishes the same ones; None, the default, for random IDs.
    """

    def __init__(self, blocks: Blocks, execution_id: str | None = None) -> None:
        self._blocks = blocks
        self._execution_id = execution_id
        self._counts: dict[tuple[str, str], count[int]] = {}

    async def publish_event(
        self,
        pubsub_name: str,
        topic_name: str,
        data: object,
        *,
        data_content_type: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Publish an event; `Runtime.publish_event` says how."""
        broker = find_broker(self._blocks, pubsub_name)
        if not topic_name:
            raise InvalidRequest(f"topic is empty in pubsub {pubsub_name}")
        content, content_type = published_data(data, data_content_type)
        event = broker.envelope(
            topic_name,
            content,
            content_type=content_type,
            metadata=metadata,
            event_id=self._next_id(pubsub_name, topic_name),
        )
        await broker.send(topic_name, event, metadata or {})

    def _next_id(self, pubsub_name: str, topic: str) -> str | None:
        if self._execution_id is None:
            return None
        counter = self._counts.setdefault((pubsub_name, topic), count(1))
        return event_id(self._execution_id, pubsub_name, topic, next(counter))


def event_id(execution_id: str, pubsub_name: str, topic: str, number: int) -> str:
    """Return the ID of an event that a call of an activity publishes, the same in each attempt.

    Args:
        execution_id: The `task_execution_id` of the call.
        pubsub_name: The broker.
        topic: The topic.
        number: The number of the event among those that the call publishes there, from 1.

    Returns:
        A UUID, which is what IDs of events look like.
    """
    name = "\0".join(("flowyard", execution_id, pubsub_name, topic, str(number)))
    return str(uuid5(NAMESPACE_OID, name))
