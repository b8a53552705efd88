from __future__ import annotations
from uuid import uuid4
import pytest
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import ComponentConformance

class TestTemporal(ComponentConformance):
    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        return ComponentSpec(name="t", type="workflow.temporal", metadata={"hostPort":"127.0.0.1:17233","taskQueue":"q-"+uuid4().hex})

class TestUncached(ComponentConformance):
    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        return ComponentSpec(name="t", type="workflow.temporal", metadata={"hostPort":"127.0.0.1:17233","taskQueue":"q-"+uuid4().hex, "maxCachedWorkflows": 0})
