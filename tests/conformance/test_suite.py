"""The conformance suite itself: it runs wherever it is installed, and says what it lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.suite_run import run_suite

HERE = Path(__file__).parent
UNREACHABLE = f"{HERE / 'faulty.py'}::TestUnreachable"
MANAGING = f"{HERE / 'managing.py'}::TestManagingComponent"
_REFUSAL = "test_an_operation_is_refused_by_name_exactly_where_it_is_not_declared"


def test_a_component_that_only_manages_conforms_as_far_as_it_declares(tmp_path: Path) -> None:
    ended = run_suite([MANAGING], tmp_path)["TestManagingComponent"]
    assert not ended.keys() - {"passed", "skipped"}
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
    suite = ["--pyargs", "flowyard.testing.suite", *options, "-k", "Event or event"]
    ended = run_suite(suite, tmp_path)["TestComponent"]
    assert ended.keys() == {"passed"}
    assert ended["passed"] >= {
        "test_an_event_reaches_who_waits_for_it",
        "test_each_event_arrives_once_though_the_process_was_killed",
    }


def test_the_suite_of_the_component_types_block_runs_alone(tmp_path: Path) -> None:
    options = ["--component-type=state.sqlite"]
    options += ["--component-metadata=connectionString={tmp_path}/state.db"]
    suite = ["--pyargs", "flowyard.testing.suite", *options, "-k", "outlives or volatile"]
    ended = run_suite(suite, tmp_path)
    assert ended.keys() == {"TestStateStore"}
    assert ended["TestStateStore"]["passed"] >= {
        "test_a_value_outlives_the_component",
        "test_a_deletion_outlives_the_component",
    }
    assert ended["TestStateStore"]["skipped"] == {"test_what_says_that_it_is_volatile_is"}


def test_the_suite_says_what_it_lacks_to_have_a_process_killed(tmp_path: Path) -> None:
    test = f"{UNREACHABLE}::test_a_start_outlives_the_killed_process"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "override the fixture `importable_types`" in run.stdout
    assert "declare Capability.VOLATILE" in run.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say which component to test: --component-type=workflow."),
        (
            ["--component-type=lock.redis"],
            "there is no suite for components of type 'lock.redis'",
        ),
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
