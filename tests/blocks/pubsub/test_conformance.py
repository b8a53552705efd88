"""The brokers that are built in, by all rules of a broker."""

from __future__ import annotations

import pytest

from flowyard.config import ComponentSpec
from flowyard.testing.conformance import PubSubConformance


class TestInMemory(PubSubConformance):
    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        return ComponentSpec(name="memory", type="pubsub.in-memory")


class TestRedis(PubSubConformance):
    @pytest.fixture
    def component_spec(self, redis_server: str) -> ComponentSpec:
        # What a process leaves is looked for soon.
        metadata = {
            "redisHost": redis_server,
            "processingTimeout": "2s",
            "redeliverInterval": "200ms",
        }
        return ComponentSpec(name="redis", type="pubsub.redis", metadata=metadata)
