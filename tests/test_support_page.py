"""The page of what works where says what does not."""

from __future__ import annotations

import pytest

from support_page import HOSTING, NATIVE, Matrix, Outcome

TEST = "test_the_sentinel_for_never"
OTHER = "test_a_timer_fires"


@pytest.fixture
def matrix() -> Matrix:
    """Two tests of one feature, which pass everywhere."""
    classes = [name for part in (HOSTING, NATIVE) for names in part.values() for name in names]
    return Matrix(
        feature_of={TEST: "Timing", OTHER: "Timing"},
        outcomes={kind: {TEST: Outcome(), OTHER: Outcome()} for kind in classes},
    )


def row(matrix: Matrix) -> str:
    """Return what the page tells of hosting and timing."""
    return next(line for line in matrix.page().splitlines() if line.startswith("| Timing"))


def test_what_passes_everywhere_is_told_as_all(matrix: Matrix) -> None:
    assert row(matrix).endswith(" | all 2 | all 2 | all 2 |")
    assert matrix.page().rstrip().endswith("each deviation that is cited here.")


def test_what_fails_in_one_way_of_running_a_backend_is_named_with_its_reason(
    matrix: Matrix,
) -> None:
    last = HOSTING["Temporal"][-1]
    matrix.outcomes[last][TEST] = Outcome(passed=False, why="deviation 7, component in the path")
    assert row(matrix).endswith(" | all 2 | 1 of 2 | all 2 |")
    assert (
        "- Temporal, deviation 7, component in the path:\n  - the sentinel for never\n"
        in matrix.page()
    )


def test_what_a_backend_does_not_declare_is_named(matrix: Matrix) -> None:
    for one in HOSTING["Conductor"]:
        why = "the component does not declare timers"
        matrix.outcomes[one] = {name: Outcome(passed=False, why=why) for name in (TEST, OTHER)}
    assert row(matrix).endswith(" | all 2 | all 2 | no |")
    assert "- Conductor, does not declare `timers`:\n  - a timer fires\n" in matrix.page()


def test_what_does_not_apply_is_not_counted(matrix: Matrix) -> None:
    (native,) = NATIVE["Temporal"]
    matrix.outcomes[native][TEST] = Outcome(passed=False, applies=False)
    assert "| all 1 | all 2 |" in matrix.page()
    assert "  - the sentinel for never" not in matrix.page()
