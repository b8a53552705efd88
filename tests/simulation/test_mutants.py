"""With a mend taken back, a recorded seed finds the fault; with all mends it finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from simulation.recording import recorded

RECORDED = recorded()
TESTS = Path(__file__).parents[1]
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def findings() -> Mapping[str, str]:
    """What each recorded seed finds, with its mutant and without."""
    done = subprocess.run(
        [sys.executable, "-m", "simulation", "--recorded"],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (line.partition(" finds ") for line in done.stdout.splitlines())
    return {what: kinds for what, _, kinds in lines}


@pytest.mark.parametrize("name", RECORDED)
def test_a_mend_that_is_taken_back_is_missed(name: str, findings: Mapping[str, str]) -> None:
    seed, kind = RECORDED[name]
    assert kind in findings[f"{name}: seed {seed}"]


@pytest.mark.parametrize("seed", sorted({seed for seed, _ in RECORDED.values()}))
def test_the_same_seed_finds_nothing_in_the_engine_as_it_is(
    seed: int, findings: Mapping[str, str]
) -> None:
    assert findings[f"no mutant: seed {seed}"] == "nothing"
