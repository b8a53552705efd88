"""The proof: pytest runs the clauses of the wheel on the binding."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from flowyard.backend import Binding, BindingRequest
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import BindingConformance


class TestNotes(BindingConformance):
    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        return ComponentSpec(name="notes", type="bindings.notes")

    @pytest.fixture
    def good_request(self) -> BindingRequest:
        return BindingRequest("create", b"buy tea")

    @pytest.fixture
    def bad_request(self) -> BindingRequest:
        return BindingRequest("get", metadata={"number": "100000"})

    @pytest.fixture
    def provoke(self, binding: Binding) -> Callable[[], Awaitable[None]]:
        async def write_a_note() -> None:
            await binding.invoke(BindingRequest("create", b"buy tea"))

        return write_a_note
