"""Bindings with one fault each, for the conformance class to fail; not collected by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from pydantic import BaseModel, ConfigDict

from flowyard.backend import (
    Binding,
    BindingCapability,
    BindingEvent,
    BindingFailed,
    BindingRequest,
    BindingResponse,
    ComponentContext,
    ComponentType,
    FlowyardError,
)
from flowyard.config import ComponentSpec
from flowyard.testing import VirtualClock
from flowyard.testing.conformance import BindingConformance

Take = Callable[[BindingEvent], Awaitable[None]]
BOTH = frozenset(BindingCapability)


class Sound(Binding):
    """Keeps nothing, refuses `bad`, and hands over what `provoke` sends."""

    readers: list[Take]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.readers = []
        OPEN.append(self)

    @property
    def operations(self) -> frozenset[str]:
        return frozenset({"good", "bad"})

    async def invoke(self, request: BindingRequest) -> BindingResponse:
        await asyncio.sleep(0)
        if request.operation == "bad":
            raise BindingFailed("bad")
        return BindingResponse(b"done", {"kind": "sound"})

    @asynccontextmanager
    async def read(self, handler: Take) -> AsyncIterator[None]:
        self.readers.append(handler)
        try:
            yield
        finally:
            self.readers.remove(handler)

    async def send(self) -> None:
        for reader in list(self.readers):
            try:
                await reader(BindingEvent(b"event"))
            except FlowyardError:
                await self.refused(reader)

    async def refused(self, reader: Take) -> None:
        """The event was not taken."""


OPEN: list[Sound] = []


class AnswersText(Sound):
    async def invoke(self, request: BindingRequest) -> BindingResponse:
        await super().invoke(request)
        return BindingResponse(cast("bytes", "text"))


class PassesOverFailures(Sound):
    async def invoke(self, request: BindingRequest) -> BindingResponse:
        return BindingResponse(b"done")


class BreaksByAFailure(Sound):
    broken = False

    async def invoke(self, request: BindingRequest) -> BindingResponse:
        if self.broken:
            raise BindingFailed("still broken")
        self.broken = request.operation == "bad"
        return await super().invoke(request)


class KeepsItsLock(Sound):
    busy = False

    async def invoke(self, request: BindingRequest) -> BindingResponse:
        if self.busy:
            raise BindingFailed("busy")
        self.busy = True
        answer = await super().invoke(request)
        self.busy = False
        return answer


class RaisesWhatItLikes(Sound):
    async def invoke(self, request: BindingRequest) -> BindingResponse:
        if request.operation == "bad":
            raise KeyError("bad")
        return await super().invoke(request)


class StopsReading(Sound):
    async def refused(self, reader: Take) -> None:
        self.readers.remove(reader)
        self.readers.append(_nobody)


class ReadsOn(Sound):
    @asynccontextmanager
    async def read(self, handler: Take) -> AsyncIterator[None]:
        self.readers.append(handler)
        yield


class HasNoOperations(Sound):
    @property
    def operations(self) -> frozenset[str]:
        return frozenset()


class TakesAnySetting(Sound):
    """Its settings do, rather."""


class DoesNotRefuse(Sound):
    """Declares only the one direction, and does the other without a word."""


MUTANTS: dict[type[Sound], tuple[str, ...]] = {
    AnswersText: ("test_a_request_is_answered_with_bytes_and_text",),
    PassesOverFailures: (
        "test_what_the_outside_refuses_is_an_error_and_the_next_request_succeeds",
    ),
    BreaksByAFailure: ("test_what_the_outside_refuses_is_an_error_and_the_next_request_succeeds",),
    KeepsItsLock: (
        "test_requests_are_answered_side_by_side",
        "test_a_caller_that_gives_up_does_no_harm_to_the_next",
    ),
    RaisesWhatItLikes: ("test_what_the_outside_refuses_is_an_error_and_the_next_request_succeeds",),
    StopsReading: ("test_an_event_that_is_not_taken_does_not_keep_the_next_from_coming",),
    ReadsOn: ("test_nothing_is_handed_over_after_the_end",),
    HasNoOperations: ("test_it_has_operations_if_it_can_be_invoked_and_none_otherwise",),
    TakesAnySetting: ("test_a_setting_that_is_not_known_is_refused",),
    DoesNotRefuse: ("test_a_direction_that_is_not_declared_is_refused",),
}


async def _nobody(_event: BindingEvent) -> None:
    pass


class _Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


def kind_of(binding: type[Sound]) -> ComponentType[Any, Any]:
    """Return the type of a binding."""

    @asynccontextmanager
    async def open_binding(_: BaseModel, context: ComponentContext) -> AsyncIterator[Sound]:
        yield binding(context.name)

    settings: type[BaseModel] = _Anything if binding is TakesAnySetting else _Nothing
    capabilities = frozenset({BindingCapability.OUTPUT}) if binding is DoesNotRefuse else BOTH
    return ComponentType("bindings.sound", settings, open_binding, capabilities)


class _Faulty(BindingConformance):
    binding_class: type[Sound] = Sound

    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        return ComponentSpec(name="sound", type="bindings.sound")

    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any, Any]]:
        return [kind_of(self.binding_class)]

    @pytest.fixture
    def good_request(self) -> BindingRequest:
        return BindingRequest("good")

    @pytest.fixture
    def bad_request(self) -> BindingRequest:
        return BindingRequest("bad")

    @pytest.fixture
    def patience(self) -> Any:
        from datetime import timedelta

        return timedelta(seconds=0.2)

    @pytest.fixture
    def provoke(self, clock: VirtualClock) -> Callable[[], Awaitable[None]]:
        async def send() -> None:
            await OPEN[-1].send()

        return send


class TestSound(_Faulty):
    """Without a fault."""


for _mutant in MUTANTS:
    _name = f"Test{_mutant.__name__}"
    globals()[_name] = type(_name, (_Faulty,), {"binding_class": _mutant})
