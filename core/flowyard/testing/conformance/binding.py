"""What every binding has to do: inherit the class, and say what is asked of yours.

::

    class TestMine(BindingConformance):
        @pytest.fixture
        def component_spec(self) -> ComponentSpec:
            return ComponentSpec(name="mine", type="bindings.mine", metadata={"url": "…"})

        @pytest.fixture
        def good_request(self) -> BindingRequest:
            return BindingRequest("create", b"tea")

        @pytest.fixture
        def bad_request(self) -> BindingRequest:
            return BindingRequest("get", metadata={"name": "nothing has it"})
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flowyard.backend.binding import (
    Binding,
    BindingCapability,
    BindingEvent,
    BindingRequest,
    BindingResponse,
)
from flowyard.backend.component import ComponentType
from flowyard.blocks.blocks import Blocks
from flowyard.blocks.opening import open_blocks
from flowyard.config import ComponentSpec
from flowyard.config.plugins import component_type
from flowyard.errors import (
    BindingFailed,
    ConfigurationError,
    FlowyardError,
    InvalidRequest,
    UnsupportedOperation,
)
from flowyard.testing.clock import VirtualClock

Provoke = Callable[[], Awaitable[None]]

_PATIENCE = timedelta(seconds=30)


class BindingConformance:
    """The clauses for bindings. Override the fixtures that have no answer here."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        """The component to test, as components.yaml would have it."""
        raise NotImplementedError(
            "override the fixture `component_spec`: return "
            "ComponentSpec(name='mine', type='bindings.mine', metadata={…})"
        )

    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any, Any]]:
        """Component types that no entry point offers."""
        return ()

    @pytest.fixture
    def good_request(self) -> BindingRequest:
        """A request that succeeds however often it is made. Asked of output bindings."""
        raise NotImplementedError("override the fixture `good_request`: return a BindingRequest")

    @pytest.fixture
    def bad_request(self) -> BindingRequest:
        """A request that the outside refuses. Asked of output bindings."""
        raise NotImplementedError("override the fixture `bad_request`: return a BindingRequest")

    @pytest.fixture
    def clock(self) -> VirtualClock:
        """The clock that the component is given, for `provoke` to move."""
        return VirtualClock()

    @pytest.fixture
    def provoke(self) -> Provoke:
        """What makes the outside send one event. Asked of input bindings."""
        raise NotImplementedError(
            "override the fixture `provoke`: return an async function that has an event come"
        )

    @pytest.fixture
    def patience(self) -> timedelta:
        """How long to wait for anything before the test fails."""
        return _PATIENCE

    @pytest.fixture
    def capabilities(
        self, component_spec: ComponentSpec, component_types: Sequence[ComponentType[Any, Any]]
    ) -> frozenset[object]:
        """What the component type declares, read without a connection."""
        return frozenset(component_type(component_spec.type, component_types).capabilities)

    @pytest.fixture
    async def binding(
        self,
        component_spec: ComponentSpec,
        component_types: Sequence[ComponentType[Any, Any]],
        clock: VirtualClock,
    ) -> AsyncIterator[Binding]:
        """The open component."""
        async with open_blocks([component_spec], component_types, "flowyard", clock) as blocks:
            yield _only(blocks)

    async def test_it_can_go_one_way_at_least(self, capabilities: frozenset[object]) -> None:
        assert capabilities & set(BindingCapability)

    async def test_it_has_operations_if_it_can_be_invoked_and_none_otherwise(
        self, binding: Binding, capabilities: frozenset[object]
    ) -> None:
        assert bool(binding.operations) is (BindingCapability.OUTPUT in capabilities)
        assert all(binding.operations)

    async def test_a_direction_that_is_not_declared_is_refused(
        self, binding: Binding, capabilities: frozenset[object]
    ) -> None:
        if BindingCapability.OUTPUT not in capabilities:
            with pytest.raises(UnsupportedOperation):
                await binding.invoke(BindingRequest("create"))
        if BindingCapability.INPUT not in capabilities:
            with pytest.raises(UnsupportedOperation):
                async with binding.read(_Taken().take):
                    pass

    async def test_a_setting_that_is_not_known_is_refused(
        self,
        component_spec: ComponentSpec,
        component_types: Sequence[ComponentType[Any, Any]],
        clock: VirtualClock,
    ) -> None:
        metadata = {**component_spec.metadata, "noSuchSetting": "1"}
        wrong = replace(component_spec, metadata=metadata)
        with pytest.raises(ConfigurationError, match="noSuchSetting"):
            async with open_blocks([wrong], component_types, "flowyard", clock):
                pass

    async def test_a_request_is_answered_with_bytes_and_text(
        self, output: Binding, good_request: BindingRequest
    ) -> None:
        _check(await output.invoke(good_request))

    async def test_the_operation_of_a_request_is_one_of_its_operations(
        self, output: Binding, good_request: BindingRequest, bad_request: BindingRequest
    ) -> None:
        assert {good_request.operation, bad_request.operation} <= output.operations

    async def test_requests_are_answered_side_by_side(
        self, output: Binding, good_request: BindingRequest
    ) -> None:
        for answer in await asyncio.gather(*(output.invoke(good_request) for _ in range(20))):
            _check(answer)

    async def test_what_the_outside_refuses_is_an_error_and_the_next_request_succeeds(
        self, output: Binding, good_request: BindingRequest, bad_request: BindingRequest
    ) -> None:
        for _ in range(10):
            with pytest.raises((BindingFailed, InvalidRequest)):
                await output.invoke(bad_request)
        _check(await output.invoke(good_request))

    async def test_a_caller_that_gives_up_does_no_harm_to_the_next(
        self, output: Binding, good_request: BindingRequest
    ) -> None:
        for turns in range(10):
            given_up = asyncio.ensure_future(output.invoke(good_request))
            for _ in range(turns):
                await asyncio.sleep(0)
            given_up.cancel()
            with suppress(asyncio.CancelledError):
                await given_up
            _check(await output.invoke(good_request))

    async def test_events_are_handed_over(
        self, input: Binding, provoke: Provoke, patience: timedelta
    ) -> None:
        taken = _Taken()
        async with input.read(taken.take):
            for number in (1, 2):
                await provoke()
                await taken.reach(number, patience)
        for event in taken.events:
            assert isinstance(event.data, bytes)
            _check_text(event.metadata)

    async def test_an_event_that_is_not_taken_does_not_keep_the_next_from_coming(
        self, input: Binding, provoke: Provoke, patience: timedelta
    ) -> None:
        taken = _Taken(FlowyardError("the application does not want it"))
        async with input.read(taken.take):
            for number in (1, 2, 3):
                await provoke()
                await taken.reach(number, patience)

    async def test_nothing_is_handed_over_after_the_end(
        self, input: Binding, provoke: Provoke, patience: timedelta
    ) -> None:
        first, second = _Taken(), _Taken()
        async with input.read(first.take):
            await provoke()
            await first.reach(1, patience)
        count = len(first.events)
        async with input.read(second.take):
            await provoke()
            await second.reach(1, patience)
        assert len(first.events) == count

    @pytest.fixture
    def output(self, binding: Binding, capabilities: frozenset[object]) -> Binding:
        """The component, if it can be invoked."""
        if BindingCapability.OUTPUT not in capabilities:
            pytest.skip(f"the component does not declare {BindingCapability.OUTPUT}")
        return binding

    @pytest.fixture
    def input(self, binding: Binding, capabilities: frozenset[object]) -> Binding:
        """The component, if it reads."""
        if BindingCapability.INPUT not in capabilities:
            pytest.skip(f"the component does not declare {BindingCapability.INPUT}")
        return binding


class _Taken:
    """Takes events, or fails to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.events: list[BindingEvent] = []
        self._error = error
        self._came = asyncio.Event()

    async def take(self, event: BindingEvent) -> None:
        self.events.append(event)
        self._came.set()
        if self._error is not None:
            raise self._error

    async def reach(self, number: int, patience: timedelta) -> None:
        async with asyncio.timeout(patience.total_seconds()):
            while len(self.events) < number:
                self._came.clear()
                await self._came.wait()


def _only(blocks: Blocks) -> Binding:
    (bound,) = blocks.bindings.values()
    return bound.binding


def _check(answer: object) -> None:
    assert isinstance(answer, BindingResponse)
    assert answer.data is None or isinstance(answer.data, bytes)
    _check_text(answer.metadata)


def _check_text(metadata: Mapping[str, str]) -> None:
    assert all(isinstance(text, str) for item in metadata.items() for text in item)
