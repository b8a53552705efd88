"""`state.sqlite`: all rules of a state store, on a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.config import ComponentSpec
from flowyard.testing.conformance import StateConformance


class TestSqlite(StateConformance):
    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {"connectionString": str(tmp_path / "state.db")}
        return ComponentSpec(name="file", type="state.sqlite", metadata=metadata)
