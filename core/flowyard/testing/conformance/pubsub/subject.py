"""What the suite tests: one open broker, and a subscriber that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import uuid4

import pytest

from flowyard.backend.component import Capability, ComponentType
from flowyard.backend.pubsub import Delivery, Message, PubSub
from flowyard.blocks.opening import open_blocks
from flowyard.clock import SystemClock
from flowyard.config import ComponentSpec
from flowyard.config.plugins import component_type
from flowyard.testing.probe import PATIENCE

OpenPubSub: TypeAlias = Callable[..., AbstractAsyncContextManager[PubSub]]


class Subscriber:
    """Takes messages as a test says, and remembers each delivery."""

    def __init__(self, patience: timedelta) -> None:
        self.deliveries: list[Message] = []
        self.cancelled: list[bytes] = []
        self.answers: dict[bytes, list[Delivery | Exception]] = {}
        """What is answered for the data of a message, in turn; DONE in the end."""
        self.gates: dict[bytes, asyncio.Event] = {}
        """What is waited for, by the data of a message, before it is answered."""
        self._patience = patience.total_seconds()
        self._changed = asyncio.Condition()

    async def __call__(self, message: Message) -> Delivery:
        async with self._changed:
            self.deliveries.append(message)
            self._changed.notify_all()
        try:
            if message.data in self.gates:
                await self.gates[message.data].wait()
        except asyncio.CancelledError:
            self.cancelled.append(message.data)
            raise
        answers = self.answers.get(message.data)
        answer = answers.pop(0) if answers else Delivery.DONE
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def data(self) -> list[bytes]:
        """The data of all deliveries, in their order."""
        return [message.data for message in self.deliveries]

    async def sees_a_fence(self, pubsub: PubSub, topic: str) -> None:
        """Publish one more message and see it arrive: time for a fault to show itself."""
        count = len(self.deliveries) + 1
        await pubsub.publish(topic, b"fence", {})
        while b"fence" not in self.data:
            await self.gets(count)
            count = len(self.deliveries) + 1

    async def gets(self, count: int) -> list[Message]:
        """Return the deliveries once there are so many."""
        async with asyncio.timeout(self._patience), self._changed:
            await self._changed.wait_for(lambda: len(self.deliveries) >= count)
        return self.deliveries


class PubSubFixtures:
    """The fixtures of the suite. Override `component_spec`, and the others if need be."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        """The component to test, as components.yaml would have it."""
        raise NotImplementedError(
            "override the fixture `component_spec`: return "
            "ComponentSpec(name='mine', type='pubsub.mine', metadata={…})"
        )

    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any, Any]]:
        """Component types that no entry point offers."""
        return ()

    @pytest.fixture
    def patience(self) -> timedelta:
        """How long to wait for anything before the test fails."""
        return PATIENCE

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def capabilities(
        self, component_spec: ComponentSpec, component_types: Sequence[ComponentType[Any, Any]]
    ) -> frozenset[StrEnum]:
        """What the component type declares, read without a connection."""
        return component_type(component_spec.type, extra=component_types).capabilities

    @pytest.fixture(autouse=True)
    def _skip_what_is_not_declared(
        self, request: pytest.FixtureRequest, capabilities: frozenset[StrEnum]
    ) -> None:
        for mark in request.node.iter_markers("flowyard_requires"):
            missing = sorted(set(mark.args) - capabilities)
            if missing:
                pytest.skip(f"the component does not declare {', '.join(missing)}")
        is_lasting = request.node.get_closest_marker("flowyard_lasting") is not None
        if is_lasting and Capability.VOLATILE in capabilities:
            pytest.skip(f"the component declares {Capability.VOLATILE}")

    @pytest.fixture
    def topic(self) -> str:
        """A topic that nobody else uses; also brokers that tests share stay apart."""
        return f"conformance-{uuid4().hex}"

    @pytest.fixture
    def subscriber(self, patience: timedelta) -> Subscriber:
        """One that takes everything, unless it is told otherwise."""
        return Subscriber(patience)

    @pytest.fixture
    def open_pubsub(
        self, component_spec: ComponentSpec, component_types: Sequence[ComponentType[Any, Any]]
    ) -> OpenPubSub:
        """Open the component once more: `async with open_pubsub() as pubsub`."""

        @asynccontextmanager
        async def open_once_more(app_id: str = "conformance") -> AsyncIterator[PubSub]:
            async with open_blocks(
                [component_spec], component_types, app_id, SystemClock()
            ) as blocks:
                yield blocks.brokers[component_spec.name].pubsub

        return open_once_more

    @pytest.fixture
    async def pubsub(self, open_pubsub: OpenPubSub) -> AsyncIterator[PubSub]:
        """The open component that most tests need."""
        async with open_pubsub() as pubsub:
            yield pubsub
