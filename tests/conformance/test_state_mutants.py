"""The conformance suite of state stores fails what is wrong, by the clause that says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.faulty import class_of
from conformance.mutants.states import MUTANTS
from conformance.suite_run import NO_OTHER_PLUGINS, Ended, run_suite

FAULTY = Path(__file__).parent / "faulty_states.py"


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ended]:
    """Return what has become of the mutants, by class: all are run in one process."""
    tests = [
        f"{FAULTY}::{class_of(name)}::{test}"
        for name, mutant in MUTANTS.items()
        for test in mutant.caught_by
    ]
    return run_suite(tests, tmp_path_factory.mktemp("states"), NO_OTHER_PLUGINS)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_suite_fails_a_state_store_with_one_fault(
    name: str, ended: Mapping[str, Ended]
) -> None:
    assert ended[class_of(name)] == {"failure": set(MUTANTS[name].caught_by)}
