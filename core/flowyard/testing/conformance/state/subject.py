"""What the suite tests: one open state store, and how its tests ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import uuid4

import pytest

from flowyard.backend.component import Capability, ComponentType
from flowyard.backend.state_store import (
    Concurrency,
    DeleteState,
    SetState,
    StateOptions,
    StateStore,
    StateValue,
)
from flowyard.blocks.opening import open_blocks
from flowyard.config import ComponentSpec
from flowyard.config.plugins import component_type
from flowyard.errors import ConfigurationError
from flowyard.testing.clock import VirtualClock
from flowyard.testing.probe import PATIENCE

_SHORT_WHILE = 0.02


@dataclass(frozen=True, slots=True)
class StateSubject:
    """One open state store under test."""

    store: StateStore
    capabilities: frozenset[StrEnum]
    clock: VirtualClock
    patience: timedelta

    def new_key(self) -> str:
        """Return a key that no value has; also stores that tests share stay apart."""
        return f"conformance||{uuid4().hex}"

    async def save(
        self,
        key: str,
        value: bytes = b"value",
        *,
        etag: str | None = None,
        ttl: object = None,
        is_first: bool = False,
    ) -> None:
        """Set a value."""
        await self.store.set(setting(key, value, etag=etag, ttl=ttl, is_first=is_first))

    async def delete(self, key: str, etag: str | None = None) -> None:
        """Remove a value."""
        await self.store.delete(DeleteState(key, etag))

    async def value(self, key: str) -> StateValue:
        """Return a value that has to be there."""
        found = await self.store.get(key)
        assert found is not None, f"there is no value for '{key}'"
        return found

    async def data(self, key: str) -> bytes | None:
        """Return the bytes of a value, None if there is none."""
        found = await self.store.get(key)
        return None if found is None else found.data

    async def etag(self, key: str) -> str:
        """Return the version of a value that has to be there."""
        etag = (await self.value(key)).etag
        assert etag, "the component declares ETAG, and the value has none"
        return etag

    def pass_time(self, seconds: float) -> None:
        """Let time pass, where the store goes by the clock that it was given."""
        self.clock.advance(timedelta(seconds=seconds))

    async def is_gone(self, key: str) -> None:
        """Return once a value is not there any more: the store may have a clock of its own."""
        async with asyncio.timeout(self.patience.total_seconds()):
            while await self.store.get(key) is not None:  # noqa: ASYNC110 - it goes away elsewhere
                await asyncio.sleep(_SHORT_WHILE)


def setting(
    key: str,
    value: bytes = b"value",
    *,
    etag: str | None = None,
    ttl: object = None,
    is_first: bool = False,
) -> SetState:
    """Return the request that sets a value."""
    options = StateOptions(Concurrency.FIRST_WRITE if is_first else None)
    metadata = {} if ttl is None else {"ttlInSeconds": str(ttl)}
    return SetState(key, value, etag=etag, options=options, metadata=metadata)


OpenState: TypeAlias = Callable[[], AbstractAsyncContextManager[StateSubject]]


class StateFixtures:
    """The fixtures of the suite. Override `component_spec`, and the others if need be."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        """The component to test, as components.yaml would have it."""
        raise NotImplementedError(
            "override the fixture `component_spec`: return "
            "ComponentSpec(name='mine', type='state.mine', metadata={…})"
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
    def open_state(
        self,
        component_spec: ComponentSpec,
        component_types: Sequence[ComponentType[Any, Any]],
        capabilities: frozenset[StrEnum],
        patience: timedelta,
    ) -> OpenState:
        """Open the store once more: `async with open_state() as subject`."""
        # It begins with the time of the machine: what is removed because it has expired must have
        # expired, also in a store that is not only for tests.
        clock = VirtualClock(datetime.now(UTC))

        @asynccontextmanager
        async def open_once_more() -> AsyncIterator[StateSubject]:
            async with open_blocks([component_spec], component_types, "conformance", clock) as all_:
                if component_spec.name in all_.unserved:
                    raise ConfigurationError(all_.unserved[component_spec.name])
                store = all_.states[component_spec.name].store
                yield StateSubject(store, capabilities, clock, patience)

        return open_once_more

    @pytest.fixture
    async def subject(self, open_state: OpenState) -> AsyncIterator[StateSubject]:
        """The open store that most tests need."""
        async with open_state() as subject:
            yield subject
