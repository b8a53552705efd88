"""Patterns whose program is killed: only what was not recorded is done again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from patterns import world

if TYPE_CHECKING:
    from examples.conftest import StartProgram

HERE = Path(__file__).parent


def begun() -> list[tuple[str, str]]:
    """What has been begun so far, in order."""
    return [call for call in world.calls() if call[0] == "begin"]


def test_a_fan_out_killed_after_40_of_100_results_does_only_60_again(
    start_program: StartProgram,
) -> None:
    first = start_program(HERE / "fan_out_program.py")
    first.read_until("40 results are recorded")
    first.kill()
    before = len(begun())
    assert before == 100
    Path("gate").touch()
    output = start_program(HERE / "fan_out_program.py").finish()
    assert "Resuming batch-1: it was started before the interruption." in output
    assert "The sum is 10100." in output
    again = [int(item) for _, item in begun()[before:]]
    assert sorted(again) == list(range(41, 101))
    ended = Counter(item for activity, item in world.calls() if activity == "end")
    assert set(ended.values()) == {1}
    assert len(ended) == 100


def test_parents_that_are_killed_find_their_children_again(start_program: StartProgram) -> None:
    first = start_program(HERE / "families_program.py")
    first.read_until(*(f"family-{number}:a is COMPLETED" for number in (1, 2, 3)))
    first.kill()
    before = len(begun())
    Path("gate").touch()
    output = start_program(HERE / "families_program.py").finish()
    for number in (1, 2, 3):
        results = ["child of a", "child of b", "child of c"]
        assert f"family-{number} is COMPLETED: {results}" in output
    again = [name for _, name in begun()[before:]]
    assert "a" not in again
    assert Counter(again) == {"b": 3, "c": 3}
