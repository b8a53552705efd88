"""Payloads: JSON text that arrives as it left."""

from __future__ import annotations

import json
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


EDGES = {
    "false": False,
    "zero": 0,
    "empty text": "",
    "empty list": [],
    "empty object": {},
    "null inside": {"a": None, "b": [None]},
    "text like JSON": '{"not": "an object"}',
    "beyond 2^53": 2**53 + 1,
    "beyond 2^63": 2**63 + 1,
    "negative": -(2**63),
    "fractions": [0.1, -0.0, 1e-300, 1.7976931348623157e308],
    "unicode": "Grüße, 世界, שלום, e\u0301",
    "astral": "🦀 \U0001d4b3 \U0010ffff",
    "zero character": "a\x00b",
    "control characters": "\x01\x1f\x7f\u2028\u2029",
    "quotes": "\"'\\/ \n\r\t",
    "awkward keys": {"": 1, "a.b": 2, "$ref": 3, "__proto__": 4, "ключ": 5},
    "deep": _nested(100),
    "one megabyte": "x" * 1_000_000,
}


class Carrying:
    """What is put in comes out, through starts, activities, events, children and outputs."""

    @pytest.mark.parametrize("edge", EDGES)
    async def test_a_payload_comes_back_as_it_was(self, subject: Subject, edge: str) -> None:
        value = EDGES[edge]
        state = await subject.run("echo", value)
        assert json.loads(state.input or "null") == value
        assert state.result() == value

    @pytest.mark.parametrize("edge", EDGES)
    async def test_a_payload_passes_through_an_activity(self, subject: Subject, edge: str) -> None:
        assert await subject.result("relay", EDGES[edge]) == EDGES[edge]

    @pytest.mark.parametrize("edge", EDGES)
    async def test_a_payload_passes_through_an_event(self, subject: Subject, edge: str) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.raise_event(instance_id, "go", EDGES[edge])
        assert (await subject.finish(instance_id)).result() == EDGES[edge]

    async def test_a_payload_passes_through_a_child(self, subject: Subject) -> None:
        value = {key: item for key, item in EDGES.items() if key != "one megabyte"}
        # An object of everything, a little nearer to the limits of parsers than each alone.
        value["deep"] = _nested(50)
        assert await subject.result("parent", {"child": "relay", "input": value}) == value

    @pytest.mark.parametrize("edge", EDGES)
    @requires(Capability.TERMINATE_OUTPUT)
    async def test_a_payload_is_the_output_of_a_termination(
        self, subject: Subject, edge: str
    ) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.terminate(instance_id, output=EDGES[edge])
        output = (await subject.finish(instance_id)).output
        assert output is not None
        assert json.loads(output) == EDGES[edge]

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
