"""The conformance suite itself: it fails what is wrong, and runs wherever it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

HERE = Path(__file__).parent
FAULTY = f"{HERE / 'faulty.py'}::TestFaulty"
MANAGING = f"{HERE / 'managing.py'}::TestManagingComponent"
_REFUSAL = "test_an_operation_is_refused_by_name_exactly_where_it_is_not_declared"

CATCHES = {
    "drops an event": [
        "test_events_arrive_in_order_none_lost_none_doubled",
        "test_events_raised_at_once_all_arrive",
    ],
    "doubles an event": [
        "test_an_event_raised_once_counts_once",
        "test_events_arrive_in_order_none_lost_none_doubled",
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
    "shortens pages": [
        "test_pages_leave_nothing_out_and_repeat_nothing[3]",
        "test_pages_leave_nothing_out_and_repeat_nothing[10]",
    ],
    "answers for the unknown": ["test_an_unknown_instance_is_not_found_by_any_verb[raise_event]"],
    "repairs text": ["test_the_seam_carries_the_text_itself[]"],
    "does what it does not declare": [f"{_REFUSAL}[history]"],
    "declares what it does not do": [f"{_REFUSAL}[purge]", "test_a_purged_instance_is_gone"],
}


def _run(
    arguments: list[str], folder: Path, environment: Mapping[str, str] | None = None
) -> dict[str, set[str]]:
    """Run pytest as its user would; return the names of the tests by how they ended."""
    report = folder / "report.xml"
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(f"--basetemp={folder / 'basetemp'}", f"--junitxml={report}"),
            *arguments,
        ],
        env={**os.environ, **(environment or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    ended: dict[str, set[str]] = defaultdict(set)
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest's own report
        outcomes = [one.tag for one in case if one.tag in ("failure", "error", "skipped")]
        ended[outcomes[0] if outcomes else "passed"].add(case.attrib["name"])
    return ended


@pytest.mark.parametrize("fault", CATCHES)
def test_the_suite_fails_a_component_with_a_fault(fault: str, tmp_path: Path) -> None:
    tests = [f"{FAULTY}::{test}" for test in CATCHES[fault]]
    ended = _run(tests, tmp_path, {"FLOWYARD_TEST_FAULT": fault})
    assert ended["failure"] == set(CATCHES[fault])


def test_the_same_tests_pass_without_a_fault(tmp_path: Path) -> None:
    tests = {test for caught in CATCHES.values() for test in caught}
    ended = _run([f"{FAULTY}::{test}" for test in sorted(tests)], tmp_path)
    assert ended == {"passed": tests}


def test_a_component_that_only_manages_conforms_as_far_as_it_declares(tmp_path: Path) -> None:
    ended = _run([MANAGING], tmp_path)
    assert not ended["failure"] | ended["error"]
    operations = ("pause", "resume", "purge", "history", "rerun", "list")
    assert ended["passed"] >= {f"{_REFUSAL}[{operation}]" for operation in operations}
    assert ended["passed"] >= {
        "test_a_start_time_is_refused_exactly_where_it_is_not_declared",
        "test_an_output_of_a_termination_is_refused_exactly_where_it_is_not_declared",
        "test_an_event_reaches_who_waits_for_it",
        "test_a_failure_has_type_message_stack_and_cause",
    }
    assert ended["skipped"] >= {"test_a_purged_instance_is_gone", "test_children_may_have_children"}


def test_the_suite_runs_from_the_command_line_where_nothing_is_configured(tmp_path: Path) -> None:
    options = ["--component-type=workflow.engine"]
    # One file for all tests, as a backend elsewhere would be.
    options += [f"--component-metadata=connectionString=sqlite:///{tmp_path}/shared.db"]
    ended = _run(["--pyargs", "flowyard.testing.suite", *options, "-k", "Event or event"], tmp_path)
    assert not ended["failure"] | ended["error"] | ended["skipped"]
    assert "test_an_event_reaches_who_waits_for_it" in ended["passed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say which component to test: --component-type=workflow."),
        (
            ["--component-type=workflow.engine", "--component-metadata=path"],
            "'path' is not a pair: write it as NAME=VALUE",
        ),
    ],
)
def test_the_suite_says_what_its_command_line_lacks(
    options: list[str], message: str, tmp_path: Path
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--pyargs", "flowyard.testing.suite", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in run.stderr
    assert "Traceback" not in run.stderr
