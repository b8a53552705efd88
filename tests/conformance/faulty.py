"""The suite on every mutant, a class each. Run by test_mutants.py, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from conformance.filed import FOLDER
from conformance.mutants import ends, events, hosts, lists, starts, stores, tellings
from conformance.mutants.mutant import ENGINE, Mutant
from flowyard.backend import ComponentType
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import ComponentConformance
from flowyard.testing.delegate import DelegatingComponent, in_front_of

TOPICS: Mapping[str, Mapping[str, Mutant]] = {
    "starts": starts.MUTANTS,
    "events": events.MUTANTS,
    "ends": ends.MUTANTS,
    "tellings": tellings.MUTANTS,
    "lists": lists.MUTANTS,
    "stores": stores.MUTANTS,
    "hosts": hosts.MUTANTS,
}


class Conformance(ComponentConformance):
    """A component type of this file's, on a fresh folder or file."""

    tested: ClassVar[ComponentType[Any]]

    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return [self.tested]

    @pytest.fixture
    def importable_types(self) -> Sequence[str]:
        return [f"conformance.faulty:{type(self).__name__}.tested"]

    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        if self.tested.settings is FOLDER.settings:
            metadata = {"folder": str(tmp_path / "instances")}
        else:
            metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
        return ComponentSpec(name="tested", type=self.tested.name, metadata=metadata)


class OfAMutant(Conformance):
    @pytest.fixture
    def patience(self) -> timedelta:
        # What a fault makes the suite wait for never comes.
        return timedelta(seconds=1)


def class_of(name: str) -> str:
    """Return the name of the class of tests of a mutant."""
    return f"Test{name.title().replace(' ', '')}"


class TestFolder(Conformance):
    tested = FOLDER


class TestDelegated(Conformance):
    """What stands in front of the engine in a mutant changes nothing by itself."""

    tested = in_front_of(ENGINE, "workflow.mutant", DelegatingComponent)


class TestUnreachable(Conformance):
    """No other process can open it."""

    tested = FOLDER

    @pytest.fixture
    def importable_types(self) -> Sequence[str]:
        return []


for _mutants in TOPICS.values():
    for _name, _mutant in _mutants.items():
        globals()[class_of(_name)] = type(
            class_of(_name), (OfAMutant,), {"tested": _mutant.type, "__module__": __name__}
        )
