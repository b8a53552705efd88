"""The conformance suite fails what is wrong, by the clause that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from conformance.faulty import TOPICS, class_of
from conformance.suite_run import NO_OTHER_PLUGINS, Ended, run_suite

FAULTY = Path(__file__).parent / "faulty.py"
MUTANTS = [(topic, name) for topic, mutants in TOPICS.items() for name in mutants]

RunTopic = Callable[[str], Mapping[str, Ended]]


@pytest.fixture(scope="module")
def run_topic(tmp_path_factory: pytest.TempPathFactory) -> RunTopic:
    """Runs the mutants of a topic, in one process; returns what has become of them by class."""

    @cache
    def run(topic: str) -> Mapping[str, Ended]:
        tests = [
            f"{FAULTY}::{class_of(name)}::{test}"
            for name, mutant in TOPICS[topic].items()
            for test in mutant.caught_by
        ]
        return run_suite(tests, tmp_path_factory.mktemp(topic), NO_OTHER_PLUGINS)

    return run


@pytest.mark.parametrize(("topic", "name"), MUTANTS)
def test_the_suite_fails_a_component_with_one_fault(
    topic: str, name: str, run_topic: RunTopic
) -> None:
    ended = run_topic(topic)[class_of(name)]
    assert ended == {"failure": set(TOPICS[topic][name].caught_by)}


def test_mutants_have_names_of_their_own() -> None:
    names = [class_of(name) for mutants in TOPICS.values() for name in mutants]
    assert len(names) == len(set(names))


def test_a_durable_component_over_the_ready_host_conforms(tmp_path: Path) -> None:
    ended = run_suite([f"{FAULTY}::TestFolder"], tmp_path, NO_OTHER_PLUGINS)["TestFolder"]
    assert not ended.keys() - {"passed", "skipped"}
    assert ended["passed"] >= _caught_by("stores", "hosts") - _OF_THE_ENGINE


def test_what_stands_in_front_of_an_engine_is_failed_for_its_fault_alone(tmp_path: Path) -> None:
    tests = _caught_by("starts", "events", "ends", "tellings", "lists")
    selected = [f"{FAULTY}::TestDelegated::{test}" for test in sorted(tests)]
    ended = run_suite(selected, tmp_path, NO_OTHER_PLUGINS)
    assert ended["TestDelegated"] == {"passed": tests}


_OF_THE_ENGINE = {"test_what_says_that_it_is_volatile_is"}


def _caught_by(*topics: str) -> set[str]:
    mutants = [mutant for topic in topics for mutant in TOPICS[topic].values()]
    return {test for mutant in mutants for test in mutant.caught_by}
