"""Idle instances leave memory, and nobody notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.config import ComponentSpec
from flowyard.testing.conformance import ComponentConformance


class TestWithoutIdleInstancesInMemory(ComponentConformance):
    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {
            "connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}",
            "cachedInstances": "0",
        }
        return ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
