"""What the database of Conductor's own server has failed is run again, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
PROGRAM = """
from pathlib import Path

RUNS = Path(__file__).with_name("runs")

def test_fails_{count}_times():
    runs = len(RUNS.read_text()) if RUNS.exists() else 0
    RUNS.write_text("x" * (runs + 1))
    assert runs >= {count}, "{words}"
"""


def passes(folder: Path, name: str, count: int, words: str) -> bool:
    """Return whether a test passes that fails so often, with these words."""
    (folder / name).write_text(PROGRAM.format(count=count, words=words))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "servers.busy", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    ended = subprocess.run([*command, name], cwd=folder, env=environment, capture_output=True)
    return ended.returncode == 0


def test_what_the_server_says_when_its_database_is_busy_fails_no_test(tmp_path: Path) -> None:
    assert passes(tmp_path, "test_conductor.py", 2, "Error scheduling tasks: [1]")


def test_what_stays_so_fails(tmp_path: Path) -> None:
    assert not passes(tmp_path, "test_conductor.py", 3, "Error scheduling tasks: [1]")


def test_another_failure_is_not_run_again(tmp_path: Path) -> None:
    assert not passes(tmp_path, "test_conductor.py", 1, "it is RUNNING")
    assert (tmp_path / "runs").read_text() == "x"


def test_tests_of_other_backends_are_not_run_again(tmp_path: Path) -> None:
    assert not passes(tmp_path, "test_temporal.py", 1, "Error scheduling tasks: [1]")
