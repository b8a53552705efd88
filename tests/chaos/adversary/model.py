"""What may be seen, given all that was asked for and answered.

Every input, payload and result is a word that occurs once, so that whatever is seen tells where it
came from. Four kinds of words begin an execution: those of starts, of children, of detached
workflows, and of continue-as-new, which lead back to the others, the births.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from chaos.adversary.records import Beginning, Event, Result, Task, Termination
from chaos.hub import shown, status_of
from flowyard.clock import Clock
from flowyard.wire.v1 import taskhub_pb2 as wire

WORKFLOWS = ("wf", "other")
ACTIVITIES = ("step", "later_step")
"""What the two versions of the workers' code ask for."""


class Model:
    """All that was done, and the faults in what is seen."""

    def __init__(self, tell: Callable[[str, str], None], clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._began = clock.now()
        self._numbers = itertools.count(1)
        self.workflows = list(WORKFLOWS)
        """What is started."""
        self.beginnings: dict[str, Beginning] = {}
        self.results: dict[str, Result] = {}
        self.tasks: dict[str, Task] = {}
        """By the words that activities were asked for with."""
        self.kept: dict[tuple[str, str], int] = {}
        """Activities whose results were acknowledged, and in which life of the server."""
        self.terminations: list[Termination] = []
        self.events: dict[str, Event] = {}
        self.committed: dict[str, str] = {}
        """In which execution an event was seen to be recorded."""
        self.consumed: set[str] = set()
        """Events that an earlier execution may have recorded."""
        self.pasts: dict[tuple[str, str], list[bytes]] = {}
        self.copies: dict[str, str] = {}
        """Instances that were made by a rerun, and their sources."""
        self.failing: set[str] = set()
        """Instances that an answer may have failed."""
        self.outcomes: dict[str, str] = {}
        """How births were seen to have ended."""
        self.known: set[str] = set()
        self.told: set[tuple[str, str]] = set()
        self.noted: list[tuple[float, tuple[object, ...]]] = []
        """What happened: seconds, and messages and texts, which only people need as one text."""

    def tracer(self, who: str) -> Callable[..., None]:
        """Return what notes what somebody does, for people."""
        return lambda *parts: self._note(who, *parts)

    @property
    def trace(self) -> list[str]:
        """What happened, in its order."""
        return [f"{at:.4f} {' '.join(map(shown, parts))}" for at, parts in self.noted]

    def tell(self, kind: str, text: str) -> None:
        """Tell a violation."""
        self._note(f"VIOLATION [{kind}] {text}")
        self._tell(kind, text)

    def _note(self, *parts: object) -> None:
        self.noted.append(((self._clock.now() - self._began) / 1e6, parts))

    # What is done.

    def word(self, kind: str) -> str:
        """Return a word that occurs once."""
        return f"{kind}{next(self._numbers)}"

    def begin(
        self,
        kind: str,
        instance_id: str,
        *,
        origin: str = "",
        parent: tuple[str, int] | None = None,
        parent_id: str = "",
        why_not: str = "",
        carried: Sequence[str] = (),
        consumed: Sequence[str] = (),
        is_certain: bool = True,
    ) -> str:
        """Note that something asks for an execution; return its word."""
        word = self.word(kind)
        self.beginnings[word] = Beginning(
            word,
            instance_id,
            next(self._numbers),
            origin or word,
            why_not,
            parent,
            parent_id,
            carried=tuple(carried),
            consumed=tuple(consumed),
            is_certain=is_certain,
        )
        self.known.add(instance_id)
        return word

    def terminating(self, instance_id: str) -> Termination:
        """Note that an instance is being terminated; set `ended` when the call has returned."""
        termination = Termination(instance_id)
        self.terminations.append(termination)
        return termination

    def ended(self, call: Termination | Event) -> None:
        """Note that the call has returned."""
        call.ended = next(self._numbers)

    def source_of(self, instance_id: str) -> str:
        """Return the instance that this is a copy of, itself if none."""
        return self.copies.get(instance_id, instance_id)

    def origin_of(self, word: str) -> str:
        """Return the birth that an execution belongs to."""
        beginning = self.beginnings.get(word)
        return beginning.origin if beginning is not None else ""

    # What is seen.

    def see_state(self, state: wire.WorkflowState) -> str:
        """Judge a state; return the birth that it is of, empty if that cannot be told."""
        word, status, instance_id = _word(state.input.value), status_of(state), state.instance_id
        if not word:
            return ""  # it has had no turn that would tell
        beginning = self._see_beginning(instance_id, word, is_recorded=True)
        if beginning is None:
            return ""
        origin = self.beginnings[beginning.origin]
        if status == "COMPLETED":
            self._see_output(state, word)
        elif status == "TERMINATED" and not self._may_be_terminated(instance_id, origin):
            self._fault("terminated by nobody", instance_id, f"{word} is TERMINATED")
        elif status == "FAILED" and not self.failing & {instance_id, self.source_of(instance_id)}:
            message = state.failure_details.error_message
            self._fault("failed by nobody", instance_id, f"{word} is FAILED: {message}")
        if status in {"COMPLETED", "FAILED", "TERMINATED"} and instance_id not in self.copies:
            self.outcomes[origin.word] = status
        return origin.word

    def _see_output(self, state: wire.WorkflowState, word: str) -> None:
        output = _word(state.output.value)
        result = self.results.get(output)
        if state.HasField("failure_details"):
            self._fault("completed and failed", state.instance_id, f"{state}")
        if result is None or result.task_id is not None:
            self._fault("output invented", state.instance_id, f"{word} came to {output!r}")
            return
        self._see_result(state.instance_id, word, output, result)

    def _see_result(self, instance_id: str, word: str, text: str, result: Result) -> None:
        """An answer that cannot have counted shows, or shows in the wrong place."""
        if result.why_not:
            self._fault("wrong answer taken", instance_id, f"{text!r} in {word}: {result.why_not}")
        elif result.instance_id not in {instance_id, self.source_of(instance_id)}:
            self._fault("answer of another", instance_id, f"{text!r} of {result.instance_id}")
        elif result.execution not in {word, ""}:
            self._fault(
                "answer of another execution",
                instance_id,
                f"{text!r} was for {result.execution}, and is in {word}",
            )

    def _see_beginning(self, instance_id: str, word: str, *, is_recorded: bool) -> Beginning | None:
        beginning = self.beginnings.get(word)
        if beginning is None:
            self._fault("input invented", instance_id, f"nobody began {word!r}")
            return None
        if beginning.instance_id not in {instance_id, self.source_of(instance_id)}:
            text = f"{word} was for {beginning.instance_id}"
            self._fault("start of another", instance_id, text)
        if beginning.was_refused and is_recorded:
            self._fault("refused start taken", instance_id, f"{word} was refused, and is there")
        if beginning.why_not:
            text = f"{word} ({beginning.parent}): {beginning.why_not}"
            self._fault("wrong start taken", instance_id, text)
        if not beginning.is_seen:
            beginning.is_seen = True
            for payload in beginning.consumed:
                if beginning.is_certain:
                    self.committed.setdefault(payload, f"before {word}")
                self.consumed.add(payload)
        return beginning

    def _may_be_terminated(self, instance_id: str, origin: Beginning) -> bool:
        ids = {instance_id}
        while origin.parent is not None:
            ids.add(origin.parent_id)
            origin = self.beginnings[self.origin_of(origin.parent[0])]
        return any(
            termination.instance_id in ids and termination.ended > origin.at
            for termination in self.terminations
        )

    def see_history(
        self, instance_id: str, past: Iterable[wire.HistoryEvent], new: Iterable[wire.HistoryEvent]
    ) -> str:
        """Judge a history, and what is new in a turn; return the word of the execution."""
        past, new = list(past), list(new)
        self.known.add(instance_id)
        word = word_of([*past, *new])
        is_recorded = any(event.HasField("execution_started") for event in past)
        if not word or self._see_beginning(instance_id, word, is_recorded=is_recorded) is None:
            return word
        self._see_past(instance_id, word, past)
        self._see_events(instance_id, word, past, new)
        for event in (*past, *new):
            kind = event.WhichOneof("event_type")
            if kind == "task_completed":
                self._see_task(instance_id, word, event.task_completed)
            elif kind == "task_failed":
                text = f"#{event.task_failed.task_scheduled_id} of {word}"
                self._fault("activity failed by nobody", instance_id, text)
            elif kind == "child_workflow_instance_completed":
                ended = event.child_workflow_instance_completed
                self._see_child(
                    instance_id, word, ended.task_scheduled_id, _word(ended.result.value)
                )
            elif kind == "child_workflow_instance_failed":
                number = event.child_workflow_instance_failed.task_scheduled_id
                self._see_child(instance_id, word, number, None)
            elif kind == "child_workflow_instance_created":
                self.known.add(event.child_workflow_instance_created.instance_id)
        return word

    def see_activity(self, request: wire.ActivityRequest, epoch: int) -> Task | None:
        """Judge an activity that a life of the server hands out; return what asked for it."""
        instance_id, text = request.workflow_instance.instance_id, _word(request.input.value)
        task = self.tasks.get(text)
        if task is None or task.why_not:
            self._fault("activity invented", instance_id, f"nobody asked for {text!r}: {task}")
        if (kept := self.kept.get((instance_id, text), epoch)) < epoch:
            told = f"the result of {text!r} was acknowledged in life {kept}, and is asked for again"
            self._fault("result lost", instance_id, told)
        return task

    def _see_past(self, instance_id: str, word: str, past: list[wire.HistoryEvent]) -> None:
        """What is recorded does not change."""
        told = [event.SerializeToString(deterministic=True) for event in past]
        known = self.pasts.get((instance_id, word), [])
        if known[: len(told)] != told[: len(known)]:
            pairs = enumerate(zip(known, told, strict=False))
            position = next(number for number, (one, other) in pairs if one != other)
            was = str(wire.HistoryEvent.FromString(known[position])).replace("\n", " ")
            text = f"{word}: event {position} was {was} and is {past[position]}"
            self._fault("history changed", instance_id, text.replace("\n", " "))
        if len(told) > len(known):
            self.pasts[instance_id, word] = told
        seen = Counter[tuple[str, int]]()
        for event in past:
            kind = str(event.WhichOneof("event_type"))
            number = getattr(getattr(event, kind), "task_scheduled_id", None)
            if kind == "timer_fired":
                number = event.timer_fired.timer_id
            if number is not None and kind != "execution_started":
                seen["result", number] += 1
        if doubled := [number for (_, number), count in seen.items() if count > 1]:
            self._fault("result doubled", instance_id, f"actions {doubled} of {word}")

    def _see_events(
        self,
        instance_id: str,
        word: str,
        past: list[wire.HistoryEvent],
        new: list[wire.HistoryEvent],
    ) -> None:
        counts = Counter(payloads_of([*past, *new]))
        for payload, count in counts.items():
            event = self.events.get(payload)
            if count > 1:
                self._fault("event doubled", instance_id, f"{payload} {count} times in {word}")
            if event is None:
                self._fault("event invented", instance_id, f"nobody raised {payload}")
            elif event.instance_id not in {instance_id, self.source_of(instance_id)}:
                self._fault("event of another", instance_id, f"{payload} in {word}")
            elif event.ended < self.beginnings[self.origin_of(word)].at:
                text = f"{payload} was raised before {self.origin_of(word)} was born"
                self._fault("event of an earlier birth", instance_id, text)
            before = self.committed.get(payload, word)
            if before != word and instance_id not in self.copies:
                text = f"{payload} was recorded in {before}, and is in {word}"
                self._fault("event doubled", instance_id, text)
        if instance_id not in self.copies:
            for payload in payloads_of(past):
                self.committed.setdefault(payload, word)

    def _see_task(self, instance_id: str, word: str, done: wire.TaskCompleted) -> None:
        text = _word(done.result.value)
        result = self.results.get(text)
        if result is None or result.task_id is None:
            self._fault("result invented", instance_id, f"{text!r} in {word}")
            return
        self._see_result(instance_id, word, text, result)
        if result.task_id != done.task_scheduled_id:
            text = f"{text!r} of #{result.task_id} is that of #{done.task_scheduled_id} in {word}"
            self._fault("result of another task", instance_id, text)

    def _see_child(self, instance_id: str, word: str, number: int, result: str | None) -> None:
        if instance_id in self.copies:
            return
        children = [
            beginning
            for beginning in self.beginnings.values()
            if beginning.parent == (word, number)
        ]
        words = {child.word for child in children if not child.why_not}
        if result is None:
            ended = [word for word in words if self.outcomes.get(word) == "COMPLETED"]
            if ended and len(words) == 1:
                text = f"#{number} of {word}: {ended} completed, and its parent is told otherwise"
                self._fault("parent told otherwise", instance_id, text)
            return
        answer = self.results.get(result)
        if answer is None or self.origin_of(answer.execution) not in words:
            text = f"#{number} of {word} came to {result!r}, which is of {answer}"
            self._fault("parent told otherwise", instance_id, text)

    def _fault(self, kind: str, instance_id: str, text: str) -> None:
        """Tell a fault once, though it may be seen again and again."""
        if (kind, text) not in self.told:
            self.told.add((kind, text))
            self.tell(kind, f"{instance_id}: {text}")


def name_of(events: Iterable[wire.HistoryEvent]) -> str:
    """Return which workflow a history is of."""
    started = (event for event in events if event.HasField("execution_started"))
    return next((event.execution_started.name for event in started), "")


def word_of(events: Iterable[wire.HistoryEvent]) -> str:
    """Return the word of the execution that has a history; empty before it begins."""
    started = (event.execution_started for event in events if event.HasField("execution_started"))
    return next((_word(event.input.value) for event in started), "")


def payloads_of(events: Iterable[wire.HistoryEvent]) -> list[str]:
    """Return what the raised events among these carry."""
    return [
        _word(event.event_raised.input.value) for event in events if event.HasField("event_raised")
    ]


def _word(text: str) -> str:
    return str(json.loads(text)) if text else ""
