"""`state.in-memory`: all rules of a state store, and no trace of what has gone away."""

from __future__ import annotations

import pytest

from flowyard.config import ComponentSpec
from flowyard.testing.conformance import StateConformance, StateSubject
from flowyard_blocks.state.in_memory import InMemoryState


class TestInMemory(StateConformance):
    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        return ComponentSpec(name="memory", type="state.in-memory")

    async def test_what_has_gone_away_takes_no_room(self, subject: StateSubject) -> None:
        assert isinstance(subject.store, InMemoryState)
        for number in range(100):
            await subject.save(str(number), ttl=1 + number % 5)
            await subject.save("one", ttl=3)
        subject.pass_time(5)
        assert subject.store._values == {}
        assert subject.store._alarms == {}
        assert subject.clock.next_alarm is None
