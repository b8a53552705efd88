"""The model tells what may not be seen, and is silent about what may."""

from __future__ import annotations

import json
import random

import pytest

from chaos.adversary.answers import Answers, Turn
from chaos.adversary.model import Model
from chaos.adversary.records import Event, Result, Task
from flowyard.clock import SystemClock
from flowyard.wire.v1 import taskhub_pb2 as wire

COMPLETED, TERMINATED = 1, 5


class Told:
    """The kinds of faults that were told."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.model = Model(lambda kind, _: self.kinds.append(kind), SystemClock())

    def raised(self, payload: str) -> wire.HistoryEvent:
        """Return the event of a payload."""
        event = wire.HistoryEvent(event_id=-1)
        event.event_raised.name = "e"
        event.event_raised.input.value = json.dumps(payload)
        return event

    def started(self, word: str) -> wire.HistoryEvent:
        """Return the first event of an execution."""
        event = wire.HistoryEvent(event_id=-1)
        event.execution_started.name = "wf"
        event.execution_started.input.value = json.dumps(word)
        return event

    def state(self, word: str, status: int, output: str = "") -> wire.WorkflowState:
        """Return the state of instance `it`."""
        state = wire.WorkflowState(instance_id="it", workflow_status=status)
        state.input.value = json.dumps(word)
        state.output.value = json.dumps(output)
        return state


@pytest.fixture
def told() -> Told:
    """A model, and what it tells."""
    return Told()


def test_an_event_may_come_again_with_a_turn_that_was_not_recorded(told: Told) -> None:
    word = told.model.begin("s", "it")
    told.model.events["p"] = Event("it")
    for _ in range(2):
        told.model.see_history("it", [], [told.started(word), told.raised("p")])
    told.model.see_history("it", [told.started(word), told.raised("p")], [])
    assert told.kinds == []


def test_an_event_that_is_recorded_may_not_come_again(told: Told) -> None:
    word = told.model.begin("s", "it")
    told.model.events["p"] = Event("it")
    told.model.see_history("it", [told.started(word), told.raised("p")], [told.raised("p")])
    assert told.kinds == ["event doubled"]


def test_an_event_may_not_come_again_in_the_next_execution(told: Told) -> None:
    word = told.model.begin("s", "it")
    told.model.events["p"] = Event("it")
    told.model.see_history("it", [told.started(word), told.raised("p")], [])
    renewed = told.model.begin("n", "it", origin=word)
    told.model.see_history("it", [], [told.started(renewed), told.raised("p")])
    assert told.kinds == ["event doubled"]


def test_an_event_is_not_for_who_has_the_id_later(told: Told) -> None:
    event = told.model.events["p"] = Event("it")
    told.model.ended(event)
    word = told.model.begin("s", "it")
    told.model.see_history("it", [], [told.started(word), told.raised("p")])
    assert told.kinds == ["event of an earlier birth"]


def test_what_is_recorded_may_not_change(told: Told) -> None:
    word = told.model.begin("s", "it")
    told.model.events |= {"p": Event("it"), "q": Event("it")}
    told.model.see_history("it", [told.started(word), told.raised("p")], [])
    told.model.see_history("it", [told.started(word), told.raised("q")], [])
    assert told.kinds == ["history changed"]


def test_an_answer_with_a_wrong_token_may_not_end_an_instance(told: Told) -> None:
    word = told.model.begin("s", "it")
    told.model.results["o"] = Result("it", word, None, "its token was wrong")
    told.model.see_state(told.state(word, COMPLETED, "o"))
    assert told.kinds == ["wrong answer taken"]


def test_an_answer_may_not_end_the_next_execution(told: Told) -> None:
    word = told.model.begin("s", "it")
    renewed = told.model.begin("n", "it", origin=word)
    told.model.results["o"] = Result("it", word, None, "")
    told.model.see_state(told.state(renewed, COMPLETED, "o"))
    assert told.kinds == ["answer of another execution"]


def test_a_termination_of_an_earlier_birth_terminates_nothing(told: Told) -> None:
    told.model.ended(told.model.terminating("it"))
    word = told.model.begin("s", "it")
    told.model.see_state(told.state(word, TERMINATED))
    assert told.kinds == ["terminated by nobody"]


def test_a_termination_of_the_parent_terminates_its_child(told: Told) -> None:
    parent = told.model.begin("s", "parent")
    child = told.model.begin("c", "it", parent=(parent, 1), parent_id="parent")
    told.model.ended(told.model.terminating("parent"))
    told.model.see_state(told.state(child, TERMINATED))
    assert told.kinds == []


def test_what_an_answer_asks_for_is_known_to_the_model(told: Told) -> None:
    answers = Answers(told.model, random.Random(1), ["other"], SystemClock())  # noqa: S311 - not for secrets
    turn = Turn("it", told.model.begin("s", "it"), [], [], [])
    action = answers.child(turn, 1, "it")
    child = json.loads(action.create_child_workflow.input.value)
    told.model.see_history("it", [], [told.started(child)])
    assert told.kinds == ["wrong start taken"]


def test_an_activity_fails_only_if_a_worker_has_said_so(told: Told) -> None:
    word = told.model.begin("s", "it")
    failed = wire.HistoryEvent(event_id=-1)
    failed.task_failed.task_scheduled_id = 1
    told.model.see_history("it", [told.started(word), failed], [])
    assert told.kinds == ["activity failed by nobody"]


def test_an_acknowledged_result_is_not_asked_for_in_a_later_life(told: Told) -> None:
    told.model.tasks["a"] = Task("it", told.model.begin("s", "it"), 1, "")
    told.model.kept["it", "a"] = 2
    request = wire.ActivityRequest(name="step")
    request.workflow_instance.instance_id = "it"
    request.input.value = json.dumps("a")
    told.model.see_activity(request, 2)
    assert told.kinds == []
    told.model.see_activity(request, 3)
    assert told.kinds == ["result lost"]
