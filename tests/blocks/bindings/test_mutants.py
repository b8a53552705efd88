"""The conformance class fails what is wrong, by the clause that says so."""

from __future__ import annotations

from pathlib import Path

from blocks.bindings.faulty import MUTANTS
from conformance.suite_run import NO_OTHER_PLUGINS, run_suite

_FAULTY = Path(__file__).with_name("faulty.py")


def test_the_class_fails_a_binding_with_one_fault_and_no_other(tmp_path: Path) -> None:
    tests = [
        f"{_FAULTY}::Test{mutant.__name__}::{test}"
        for mutant, caught_by in MUTANTS.items()
        for test in caught_by
    ]
    ended = dict(run_suite([f"{_FAULTY}::TestSound", *tests], tmp_path, NO_OTHER_PLUGINS))
    assert ended.pop("TestSound").keys() == {"passed"}
    assert ended == {
        f"Test{mutant.__name__}": {"failure": set(caught_by)}
        for mutant, caught_by in MUTANTS.items()
    }
