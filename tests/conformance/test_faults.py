"""The conformance suite fails components that are deliberately wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

FAULTY = Path(__file__).parent / "faulty.py"

CATCHES = {
    "drops an event": [
        "test_events_arrive_in_order_none_lost_none_doubled",
        "test_events_raised_at_once_all_arrive",
    ],
    "doubles an event": [
        "test_an_event_raised_once_counts_once",
        "test_events_arrive_in_order_none_lost_none_doubled",
        "test_events_are_recorded_with_their_data",
    ],
    "doubles a result": [
        "test_each_activity_is_recorded_once_with_one_result",
        "test_every_result_follows_its_cause_and_comes_once[fan_out-20]",
    ],
    "runs activities twice": [
        "test_each_activity_of_an_undisturbed_instance_runs_once",
        "test_an_error_that_rules_out_retries_is_not_retried",
    ],
    "forgets a pause": [
        "test_a_paused_instance_is_suspended_and_goes_on_when_resumed",
        "test_a_paused_instance_takes_no_turn_whatever_happens",
        "test_a_repeated_pause_and_a_repeated_resume_change_nothing",
    ],
    "pretends to pause": [
        "test_a_paused_instance_takes_no_turn_whatever_happens",
        "test_pauses_are_recorded_once_each",
    ],
    "pretends to purge": [
        "test_a_purged_instance_is_gone",
        "test_an_active_instance_is_not_purged",
        "test_children_are_purged_too",
    ],
    "forgets an output": ["test_the_output_given_is_the_instances_output"],
    "forgets children": ["test_children_are_terminated_too"],
    "swallows duplicates": [
        "test_a_second_start_of_an_active_id_is_refused_and_changes_nothing",
        "test_of_many_starts_at_once_with_one_id_exactly_one_wins",
    ],
    "knows case": ["test_names_match_without_case[GO]"],
    "shortens pages": ["test_pages_leave_nothing_out_and_repeat_nothing"],
    "answers for the unknown": ["test_an_unknown_instance_is_not_found_by_any_verb[raise_event]"],
    "repairs text": ["test_the_seam_carries_the_text_itself[]"],
    "does what it does not declare": [
        "test_an_operation_that_is_not_declared_is_refused_by_name[history]"
    ],
}
# What a component declares decides whether this one runs at all.
_SKIPPED_WITHOUT_FAULT = CATCHES["does what it does not declare"]


def _failed(fault: str, tests: list[str], tmp_path: Path) -> tuple[set[str], set[str]]:
    """Run tests of the suite on a component with a fault; return what failed and what passed."""
    report = tmp_path / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    command += [f"--basetemp={tmp_path / 'basetemp'}"]
    command += [f"{FAULTY}::TestFaulty::{test}" for test in tests]
    run = subprocess.run(
        command,
        env={**os.environ, "FLOWYARD_TEST_FAULT": fault},
        cwd=FAULTY.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    failed, passed = set(), set()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest's own report
        if case.find("failure") is not None:
            failed.add(case.attrib["name"])
        elif case.find("error") is None and case.find("skipped") is None:
            passed.add(case.attrib["name"])
    return failed, passed


@pytest.mark.parametrize("fault", CATCHES)
def test_the_suite_fails_a_component_with_a_fault(fault: str, tmp_path: Path) -> None:
    failed, _ = _failed(fault, CATCHES[fault], tmp_path)
    assert failed == set(CATCHES[fault])


def test_the_same_tests_pass_without_a_fault(tmp_path: Path) -> None:
    tests = sorted(
        {test for catches in CATCHES.values() for test in catches} - set(_SKIPPED_WITHOUT_FAULT)
    )
    failed, passed = _failed("none", tests, tmp_path)
    assert failed == set()
    assert passed == set(tests)
