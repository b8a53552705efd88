"""All subscriptions of a server: those of documents, of the application, and of streams."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from flowyard.backend.background_tasks import BackgroundTasks
from flowyard.backend.backoff import Backoff
from flowyard.blocks.blocks import Blocks
from flowyard.config.subscriptions import Subscription
from flowyard.errors import BackendUnavailable, ConfigurationError, FlowyardError, InvalidRequest
from flowyard.server.pubsub.bundles import Bundles
from flowyard.server.pubsub.delivery import BulkRecipient, Recipient
from flowyard.server.pubsub.subscriber import Deliveries, Subscriber

logger = logging.getLogger(__name__)

_TRIES = 4
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0


class Subscribing(BulkRecipient, Protocol):
    """An application that says itself what it subscribes to."""

    async def subscriptions(self) -> Sequence[Subscription]:
        """Return it; raises `BackendUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Active:
    """A subscription that goes on: `kind` is DECLARATIVE, PROGRAMMATIC or STREAMING."""

    subscription: Subscription
    kind: str


class Subscriptions:
    """Begins subscriptions, and ends them.

    Args:
        blocks: The open components.
        declared: The documents of kind Subscription.
    """

    def __init__(self, blocks: Blocks, declared: Sequence[Subscription]) -> None:
        self._blocks = blocks
        self._declared = declared
        self._tasks = BackgroundTasks()
        self.deliveries = Deliveries()
        self.active: list[Active] = []

    async def serve(self, app: Subscribing) -> None:
        """Subscribe to what is declared and to what the application says, once it is there."""
        if not self._blocks.brokers:
            return
        await app.returned()
        chosen: dict[tuple[str, str], Active] = {}
        for subscription in self._declared:
            key = subscription.pubsub_name, subscription.topic
            chosen.setdefault(key, Active(subscription, "DECLARATIVE"))
        for subscription in await self._told(app):
            key = subscription.pubsub_name, subscription.topic
            chosen[key] = Active(subscription, "PROGRAMMATIC")
        for active in chosen.values():
            try:
                subscriber = self.subscriber(
                    active.subscription, self._recipient(active.subscription, app)
                )
            except (ConfigurationError, InvalidRequest) as error:
                logger.warning("not subscribed: %s", error)
                continue
            self.active.append(active)
            self._tasks.run(subscriber.run())

    def subscriber(self, subscription: Subscription, recipient: Recipient) -> Subscriber:
        """Return what delivers; raise `ConfigurationError` if the subscription cannot be had."""
        broker = self._blocks.brokers.get(subscription.pubsub_name)
        name = subscription.pubsub_name
        if broker is None:
            why = self._blocks.unserved.get(name, f"no pubsub component is named '{name}'")
            raise ConfigurationError(f"{subscription.label}: {why}")
        dead_letters = subscription.dead_letter_topic
        if not broker.scopes.may_subscribe(subscription.topic):
            raise ConfigurationError(
                f"{subscription.label}: topic '{subscription.topic}' is not allowed for app id "
                f"'{broker.app_id}' by the scopes of '{name}'"
            )
        if dead_letters and not broker.scopes.may_publish(dead_letters):
            raise ConfigurationError(
                f"{subscription.label}: the dead-letter topic '{dead_letters}' is not allowed for "
                f"app id '{broker.app_id}' by the scopes of '{name}'"
            )
        return Subscriber(broker, subscription, recipient, self.deliveries)

    def _recipient(self, subscription: Subscription, app: Subscribing) -> Recipient:
        if subscription.bulk is None:
            return app
        bundles = Bundles(app, subscription.bulk)
        self.deliveries.at_the_end.append(bundles.flush)
        return bundles

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Subscriptions]:
        """End all subscriptions at the end of the block."""
        try:
            yield self
        finally:
            await asyncio.gather(*self._tasks.cancel(), return_exceptions=True)

    async def _told(self, app: Subscribing) -> Sequence[Subscription]:
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        for attempt in range(1, _TRIES + 1):
            try:
                return await app.subscriptions()
            except BackendUnavailable as error:
                if attempt == _TRIES:
                    logger.warning("the application did not say what it subscribes to: %s", error)
                    break
                await backoff.sleep()
            except FlowyardError:
                logger.exception("the application did not say what it subscribes to")
                break
        return ()
