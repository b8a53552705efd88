"""The call of publishing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowyard.calls.bindings import as_bytes
from flowyard.errors import ComponentNotFound, ComponentTypeNotInstalled, InvalidRequest

if TYPE_CHECKING:
    from flowyard.blocks.blocks import Blocks
    from flowyard.blocks.broker import Broker

_JSON = "application/json"


class PublishCalls:
    """What a program publishes."""

    __slots__ = ()

    def _open_blocks(self) -> Blocks:
        """Return what is open, or raise what keeps this caller from it."""
        raise NotImplementedError

    def _next_event_id(self, pubsub_name: str, topic_name: str) -> str | None:
        """Return the ID of the next event to a topic; None for a random one."""
        return None

    async def publish_event(
        self,
        pubsub_name: str,
        topic_name: str,
        data: object = b"",
        publish_metadata: Mapping[str, str] | None = None,
        *,
        data_content_type: str = "",
    ) -> None:
        """Publish an event, and return once the broker has it.

        In an activity its ID is made of the `task_execution_id`, the topic, and its number among
        the events of the call, so that a repetition publishes the same ones.

        Args:
            pubsub_name: The name of the component.
            topic_name: The name of the topic.
            data: Bytes and text are published as they are, any other value as JSON; no bytes by
                default.
            publish_metadata: Settings of this call, such as `ttlInSeconds`, `rawPayload` or
                `cloudevent.id`; none by default.
            data_content_type: What the data is, such as `application/json`. By default bytes and
                text are `text/plain`, as Dapr has it, and any other value is `application/json`.

        Raises:
            ComponentNotFound: If no broker has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            TopicForbidden: If the configuration keeps the topic from this application.
            InvalidRequest: If the name of the topic is empty, or a setting cannot be used.
            PayloadError: If the data is not JSON, or is said to be a CloudEvent and is none.
            BackendUnavailable: If the broker does not answer.

        Example:
            ```python
            await runtime.publish_event("orderpubsub", "orders", {"orderId": 1})
            ```
        """
        broker = self._broker(pubsub_name)
        if not topic_name:
            raise InvalidRequest(f"topic is empty in pubsub {pubsub_name}")
        is_text = isinstance(data, bytes | bytearray | memoryview | str)
        content = bytes(data) if isinstance(data, bytearray | memoryview) else as_bytes(data)
        settings = dict(publish_metadata or {})
        event = broker.envelope(
            topic_name,
            content,
            content_type=data_content_type or ("" if is_text else _JSON),
            metadata=settings,
            event_id=self._next_event_id(pubsub_name, topic_name),
        )
        await broker.send(topic_name, event, settings)

    def _broker(self, name: str) -> Broker:
        blocks = self._open_blocks()
        if name in blocks.brokers:
            return blocks.brokers[name]
        if name in blocks.unserved:
            raise ComponentTypeNotInstalled(blocks.unserved[name])
        raise ComponentNotFound(name, blocks.brokers)
