"""Payloads: JSON text that arrives as it left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import pytest

from flowyard.backend.component import Capability
from flowyard.models import StartRequest, WorkflowStatus
from flowyard.testing.conformance.subject import Subject, requires


def _nested(depth: int) -> object:
    value: object = "the innermost"
    for level in range(depth):
        value = [value] if level % 2 else {"in": value}
    return value


EDGES: Mapping[str, Mapping[str, object]] = {
    "numbers": {
        "false": False,
        "zero": 0,
        "beyond 2^53": 2**53 + 1,
        "beyond 2^63": 2**63 + 1,
        "negative": -(2**63),
        "fractions": [0.1, -0.0, 1e-300, 1.7976931348623157e308],
    },
    "texts": {
        "empty text": "",
        "text like JSON": '{"not": "an object"}',
        "unicode": "Grüße, 世界, שלום, e\u0301",
        "astral": "🦀 \U0001d4b3 \U0010ffff",
        "zero character": "a\x00b",
        "control characters": "\x01\x1f\x7f\u2028\u2029",
        "quotes": "\"'\\/ \n\r\t",
    },
    "structures": {
        "empty list": [],
        "null inside": {"a": None, "b": [None]},
        "awkward keys": {"": 1, "a.b": 2, "$ref": 3, "__proto__": 4, "ключ": 5},
        "deep": _nested(100),
    },
    "empty object": {"empty object": {}},
    "one megabyte": {"one megabyte": "x" * 1_000_000},
}
"""Values at the edges of what JSON and engines bear, by kind and name."""


async def _each(kind: str, carry: Callable[[object], Awaitable[object]]) -> Mapping[str, object]:
    """Return what becomes of each value of a kind that is carried, all of them side by side."""
    values = EDGES[kind]
    return dict(zip(values, await asyncio.gather(*map(carry, values.values())), strict=True))


class Carrying:
    """What is put in comes out, through starts, activities, events, children and outputs."""

    @pytest.mark.parametrize("kind", EDGES)
    async def test_a_payload_comes_back_as_it_was(self, subject: Subject, kind: str) -> None:
        async def carry(value: object) -> object:
            state = await subject.run("echo", value)
            return json.loads(state.input or "null"), state.result()

        assert await _each(kind, carry) == {
            name: (value, value) for name, value in EDGES[kind].items()
        }

    @pytest.mark.parametrize("kind", EDGES)
    async def test_a_payload_passes_through_an_activity(self, subject: Subject, kind: str) -> None:
        async def carry(value: object) -> object:
            return await subject.result("relay", value)

        assert await _each(kind, carry) == EDGES[kind]

    @pytest.mark.parametrize("kind", EDGES)
    async def test_a_payload_passes_through_an_event(self, subject: Subject, kind: str) -> None:
        async def carry(value: object) -> object:
            instance_id = await subject.start("waiter")
            await subject.runtime.raise_event(instance_id, "go", value)
            return (await subject.finish(instance_id)).result()

        assert await _each(kind, carry) == EDGES[kind]

    async def test_a_payload_passes_through_a_child(self, subject: Subject) -> None:
        kinds = (values for kind, values in EDGES.items() if kind != "one megabyte")
        value = {name: edge for values in kinds for name, edge in values.items()}
        # An object of everything, a little nearer to the limits of parsers than each alone.
        value["deep"] = _nested(50)
        assert await subject.result("parent", {"child": "relay", "input": value}) == value

    @pytest.mark.parametrize("kind", EDGES)
    @requires(Capability.TERMINATE_OUTPUT)
    async def test_a_payload_is_the_output_of_a_termination(
        self, subject: Subject, kind: str
    ) -> None:
        async def carry(value: object) -> object:
            instance_id = await subject.start("waiter")
            await subject.runtime.terminate(instance_id, output=value)
            output = (await subject.finish(instance_id)).output
            assert output is not None
            return json.loads(output)

        assert await _each(kind, carry) == EDGES[kind]

    @pytest.mark.parametrize(
        "text", [None, "null", "", '{"a" :  1}', '"\\u0000"', '"\\ud83e\\udd80"', "1.0"]
    )
    async def test_the_seam_carries_the_text_itself(
        self, subject: Subject, text: str | None
    ) -> None:
        instance_id = subject.new_id()
        request = StartRequest(subject.named("echo"), instance_id, input=text)
        await subject.component.start(request)
        state = await subject.finish(instance_id)
        assert state.input == text
        assert state.status is WorkflowStatus.COMPLETED
        assert state.result() == (json.loads(text) if text else None)

    async def test_an_absent_input_stays_absent(self, subject: Subject) -> None:
        state = await subject.run("echo")
        assert state.input is None

    async def test_a_workflow_that_returns_nothing_has_the_output_null(
        self, subject: Subject
    ) -> None:
        state = await subject.run("nothing")
        assert state.output == "null"
        assert state.result() is None

    async def test_a_datetime_becomes_text_on_the_way(self, subject: Subject) -> None:
        moment = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        state = await subject.run("echo", {"at": moment})
        assert state.result(dict[str, datetime]) == {"at": moment}
