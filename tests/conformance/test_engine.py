"""The built-in engine conforms."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.config import ComponentSpec
from flowyard.testing.conformance import ComponentConformance


class TestEngineOnSqlite(ComponentConformance):
    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
        return ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)


class TestEngineThatKeepsNothingInMemory(ComponentConformance):
    """Each instance is read and replayed whenever something happens to it."""

    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata: dict[str, object] = {
            "connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}",
            "cachedInstances": 0,
        }
        return ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
