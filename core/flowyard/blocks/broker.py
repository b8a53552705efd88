"""One broker as an application sees it: with the topics that it may use, in CloudEvents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowyard.backend.pubsub import PubSub
from flowyard.blocks.cloud_events import Origin, envelope, is_raw
from flowyard.blocks.topic_scopes import TopicScopes
from flowyard.clock import Clock
from flowyard.config.block_settings import PubSubSettings
from flowyard.errors import TopicForbidden
from flowyard.identifier import new_uuid


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace in which something is published, as W3C's headers have it.

    Attributes:
        parent: The header `traceparent`; "", the default, for none.
        state: The header `tracestate`; "", the default, for none.
    """

    parent: str = ""
    state: str = ""


NO_TRACE = Trace()


class Broker:
    """A broker with what the configuration says of an application's topics.

    Args:
        pubsub: The open component.
        app_id: The application.
        settings: What the configuration says, whatever the component's type.
        clock: The clock of the events.
    """

    def __init__(self, pubsub: PubSub, app_id: str, settings: PubSubSettings, clock: Clock) -> None:
        self.pubsub = pubsub
        self.app_id = app_id
        self.scopes = TopicScopes.of(settings, app_id)
        self.max_retries = settings.max_retries
        self._clock = clock

    @property
    def name(self) -> str:
        """The name of the component."""
        return self.pubsub.name

    def now(self) -> int:
        """Return the time by the clock of the events, in microseconds since the Unix epoch."""
        return self._clock.now()

    def envelope(
        self,
        topic: str,
        data: bytes,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        trace: Trace = NO_TRACE,
        event_id: str | None = None,
    ) -> bytes:
        """Return what is published: the data in a CloudEvent, or as it is with `rawPayload`.

        Raises:
            PayloadError: If the data shall be a CloudEvent, and is none.
            InvalidRequest: If `rawPayload` is no boolean.
        """
        if is_raw(metadata or {}):
            return data
        origin = Origin(
            self.name,
            topic,
            self.app_id,
            str(new_uuid()) if event_id is None else event_id,
            self._clock.now(),
            trace.parent,
            trace.state,
        )
        return envelope(data, content_type, metadata or {}, origin)

    def check(self, topic: str) -> None:
        """Raise `TopicForbidden` where the application may not publish to a topic."""
        if not self.scopes.may_publish(topic):
            raise TopicForbidden(topic, self.app_id)

    async def send(self, topic: str, event: bytes, metadata: Mapping[str, str]) -> None:
        """Publish what `envelope` has returned; raises `TopicForbidden`, and as the component."""
        self.check(topic)
        await self.pubsub.publish(topic, event, metadata)
