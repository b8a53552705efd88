"""The suite on every faulty state store, a class each. Run by test_state_mutants.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from conformance.faulty import class_of
from conformance.mutants.states import MUTANTS
from flowyard.backend import ComponentType
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import StateConformance
from flowyard_blocks.state.sqlite_settings import SqliteSettings


class OfAMutant(StateConformance):
    """A component type of this file's, on a fresh file."""

    tested: ClassVar[ComponentType[Any, Any]]

    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any, Any]]:
        return [self.tested]

    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        is_file = self.tested.settings is SqliteSettings
        metadata = {"connectionString": str(tmp_path / "state.db")} if is_file else {}
        return ComponentSpec(name="tested", type=self.tested.name, metadata=metadata)

    @pytest.fixture
    def patience(self) -> timedelta:
        # What a fault makes the suite wait for never comes.
        return timedelta(seconds=1)


for _name, _mutant in MUTANTS.items():
    globals()[class_of(_name)] = type(
        class_of(_name), (OfAMutant,), {"tested": _mutant.type, "__module__": __name__}
    )
