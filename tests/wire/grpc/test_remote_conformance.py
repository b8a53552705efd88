"""The engine conforms also where every turn and every activity is run by a worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flowyard.backend.component import ComponentType
from flowyard.config import ComponentSpec
from flowyard.config.plugins import component_type
from flowyard.testing.conformance import ComponentConformance
from flowyard.testing.conformance.listing import Listing
from flowyard.testing.conformance.purging import Purging
from flowyard.testing.conformance.refusing import Refusing
from remote_component import with_workers

REMOTE = with_workers(component_type("workflow.engine"))


# Who runs the code has no part in these.
@pytest.mark.second_way(Listing, Purging, Refusing)
class TestEngineWithWorkers(ComponentConformance):
    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return (REMOTE,)

    @pytest.fixture
    def importable_types(self) -> Sequence[str]:
        return ("wire.grpc.test_remote_conformance:REMOTE",)

    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
        return ComponentSpec(name="orders", type=REMOTE.name, metadata=metadata)
