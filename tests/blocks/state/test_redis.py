"""`state.redis`: all rules of a state store, on a real server."""

from __future__ import annotations

import pytest

from flowyard.config import ComponentSpec
from flowyard.testing.conformance import StateConformance


class TestRedis(StateConformance):
    @pytest.fixture
    def component_spec(self, redis_server: str) -> ComponentSpec:
        return ComponentSpec(name="redis", type="state.redis", metadata={"redisHost": redis_server})
