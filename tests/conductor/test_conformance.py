"""Conductor conforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from flowyard.component import ComponentType
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import ComponentConformance
from flowyard_conductor.plugin import CONDUCTOR


class TestConductor(ComponentConformance):
    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return [CONDUCTOR]

    @pytest.fixture
    def component_spec(self, conductor_server: str) -> ComponentSpec:
        metadata: dict[str, object] = {"url": f"{conductor_server}/api"}
        return ComponentSpec(name="orders", type="workflow.conductor", metadata=metadata)
