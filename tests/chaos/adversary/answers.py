"""What an adversarial worker answers to a turn, drawn by the seed and noted in the model."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from chaos import hub
from chaos.adversary.model import ACTIVITIES, Model
from chaos.adversary.records import Event, Result
from chaos.adversary.records import Task as Asked
from flowyard.clock import Clock
from flowyard.wire.v1 import taskhub_pb2 as wire

DETACHED = "d"
"""How the IDs of detached workflows begin that nobody else is given, nor purges."""
_SECOND = "it was the second completion of its answer"


@dataclass(slots=True)
class Turn:
    """A turn as it was handed out."""

    instance_id: str
    word: str
    """Of its execution."""
    past: list[wire.HistoryEvent]
    new: list[wire.HistoryEvent]
    payloads: list[str]
    """What its new events carry."""
    activity: str = ACTIVITIES[0]
    """Which activity this version of the code asks for."""
    is_certain: bool = True
    """Whether an answer can be for no other turn; without tokens it may."""

    @property
    def next_id(self) -> int:
        """The first ID that no action has had."""
        return max((event.event_id for event in self.past), default=0) + 1


@dataclass(slots=True)
class Answers:
    """Draws answers. `why_not` says why nothing may come of what is drawn; empty if it may."""

    model: Model
    choices: random.Random
    targets: list[str]
    """IDs that children may be given, though they belong to others."""
    clock: Clock

    def draw(self, turn: Turn, *, why_not: str = "") -> list[wire.WorkflowAction]:
        """Return actions; some end the execution. With `why_not` nothing may come of them."""
        actions, number = [], turn.next_id
        for _ in range(self.choices.choice((0, 0, 1, 1, 2, 3))):
            actions.append(self._action(turn, number, why_not=why_not))
            number += 1
        ends = self._ends(turn, number, why_not)
        for action in actions:
            if ends and action.HasField("schedule_task"):
                self.model.tasks[json.loads(action.schedule_task.input.value)].outlives = True
        return [*actions, *ends]

    def _ends(self, turn: Turn, number: int, why_not: str) -> list[wire.WorkflowAction]:
        """Return what ends the execution, if anything; the first of two counts."""
        kind, later = self.choices.random(), why_not or _SECOND
        if kind < 0.10:
            return [self.end(turn, number, why_not=why_not)]
        if kind < 0.13:
            second = self.end(turn, number + 1, why_not=later)
            return [self.end(turn, number, why_not=why_not), second]
        if kind < 0.19:
            return [self._renewal(turn, number, why_not=why_not)]
        if kind < 0.22:
            second = self._renewal(turn, number + 1, why_not=later)
            return [self.end(turn, number, why_not=why_not), second]
        if kind < 0.24:
            return [self.end(turn, number, why_not=why_not, failed=True)]
        return []

    def end(
        self, turn: Turn, number: int, *, why_not: str = "", failed: bool = False
    ) -> wire.WorkflowAction:
        """Complete or fail."""
        word = self.model.word("o")
        self.model.results[word] = Result(turn.instance_id, turn.word, None, why_not)
        if failed and not why_not:
            self.model.failing.add(turn.instance_id)
        return hub.complete(number, json.dumps(word), hub.FAILED if failed else hub.COMPLETED)

    def _renewal(self, turn: Turn, number: int, *, why_not: str = "") -> wire.WorkflowAction:
        """Continue as new, and carry some of the events under new words."""
        model = self.model
        kept = [payload for payload in turn.payloads if self.choices.random() < 0.5]
        carried = [model.word(f"{payload}+") for payload in kept]
        for payload in carried:
            model.events[payload] = Event(turn.instance_id)
        word = model.begin(
            "n",
            turn.instance_id,
            origin=model.origin_of(turn.word),
            why_not=why_not,
            carried=carried,
            consumed=turn.payloads,
            is_certain=turn.is_certain,
        )
        events = [("e", json.dumps(payload)) for payload in carried]
        return hub.continue_as_new(number, json.dumps(word), events)

    def _action(self, turn: Turn, number: int, *, why_not: str = "") -> wire.WorkflowAction:
        draw: Callable[[Turn, int, str], wire.WorkflowAction] = self.choices.choice(
            (
                self._task,
                self._task,
                self._child,
                self._named_child,
                self._detached,
                self._timer,
                self._send,
            )
        )
        return draw(turn, number, why_not)

    def _task(self, turn: Turn, number: int, why_not: str) -> wire.WorkflowAction:
        word = self.model.word("a")
        self.model.tasks[word] = Asked(turn.instance_id, turn.word, number, why_not)
        return hub.schedule(number, turn.activity, json.dumps(word))

    def _child(self, turn: Turn, number: int, why_not: str) -> wire.WorkflowAction:
        instance_id = f"k{self.model.word('')}"
        return self.child(turn, number, instance_id, why_not=why_not)

    def _named_child(self, turn: Turn, number: int, why_not: str) -> wire.WorkflowAction:
        target = self.choices.choice([*self.targets, turn.instance_id])
        return self.child(turn, number, target, why_not=why_not)

    def _detached(self, turn: Turn, number: int, why_not: str) -> wire.WorkflowAction:
        """Ask for a workflow that has no parent, under an ID of its own or one of others'."""
        others = [target for target in self.targets if target != turn.instance_id]
        instance_id = self.choices.choice((f"{DETACHED}{self.model.word('')}", *others))
        word = self.model.begin("d", instance_id, why_not=why_not)
        workflow = self.choices.choice(self.model.workflows)
        start_at = None
        if self.choices.random() < 0.3:
            start_at = self.clock.now() / 1e6 + self.choices.uniform(-0.1, 0.2)
        return hub.detached(number, workflow, instance_id, json.dumps(word), start_at)

    def child(
        self, turn: Turn, number: int, instance_id: str, *, why_not: str = ""
    ) -> wire.WorkflowAction:
        """Ask for a child; one with the ID of its own parent, which is active, cannot begin."""
        if not why_not and instance_id == turn.instance_id:
            why_not = "it has the ID of its parent"
        word = self.model.begin(
            "c",
            instance_id,
            parent=(turn.word, number),
            parent_id=turn.instance_id,
            why_not=why_not,
        )
        workflow = self.choices.choice(self.model.workflows)
        return hub.child(number, workflow, instance_id, json.dumps(word))

    def _timer(self, turn: Turn, number: int, why_not: str) -> wire.WorkflowAction:
        del turn, why_not
        return hub.timer(number, self.clock.now() / 1e6 + self.choices.uniform(-0.1, 0.2))

    def _send(self, turn: Turn, number: int, why_not: str) -> wire.WorkflowAction:
        del why_not
        target = self.choices.choice([*self.targets, turn.instance_id, "nobody"])
        payload = self.model.word("p")
        self.model.events[payload] = Event(target)
        return hub.send(number, target, "e", json.dumps(payload))
