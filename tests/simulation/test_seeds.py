"""Simulated processes are killed, and nothing is lost: fixed seeds, and that they repeat."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def run_python(*arguments: str) -> str:
    """Run Python as `make simulate` does, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def simulate(*arguments: str) -> str:
    """Run `python -m simulation`, as `make simulate` does, and return what it prints."""
    return run_python("-m", "simulation", *arguments)


@pytest.mark.timeout(1200)
def test_four_hundred_seeds_find_nothing() -> None:
    last = simulate("--seeds", "400").splitlines()[-1]
    assert last.startswith("seeds 0 to 399")
    assert last.endswith("0 seeds have found something")


def test_a_seed_is_the_same_in_another_process() -> None:
    first, second = (simulate("--seeds", "5", "--from", "1000", "--digests") for _ in range(2))
    assert first.splitlines()[:5] == second.splitlines()[:5]


def test_what_ran_before_does_not_show_in_a_seed() -> None:
    """Some have depended on addresses in memory, and on numbers of the whole process."""
    program = (
        "import sys; from simulation.run import run_seed; "
        "print(*(run_seed(int(seed)).digest for seed in sys.argv[1:]))"
    )
    seeds = [str(seed) for seed in (*range(70081, 70111, 2), *range(70006, 70106, 10))]
    forwards, backwards = (
        run_python("-c", program, *order).split() for order in (seeds, seeds[::-1])
    )
    assert forwards == backwards[::-1]
