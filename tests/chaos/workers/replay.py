"""Workflows of the raw worker, and how their actions follow from history."""

from __future__ import annotations

import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos import hub
from flowyard.wire.v1 import taskhub_pb2 as wire

END = "end"


@dataclass(frozen=True, slots=True)
class Request:
    """What workflow code waits for; without an action it is an event."""

    action: Callable[[int], wire.WorkflowAction] | None = None


@dataclass(slots=True)
class Renewal(Exception):
    """Raised by code that continues as new."""

    input: object


Code = Generator[Sequence[Request], list[Any], object]
_EVENT = Request()


def _task() -> Request:
    return Request(lambda number: hub.schedule(number, "step"))


def _child(workflow: str, instance_id: str = "") -> Request:
    return Request(lambda number: hub.child(number, workflow, instance_id, "null"))


def _timer(seconds: float) -> Request:
    return Request(lambda number: hub.timer(number, time.time() + seconds))


def chain(_instance_id: str, _input: object) -> Code:
    tokens = []
    for _ in range(3):
        tokens += yield [_task()]
    return tokens


def fan_out(_instance_id: str, _input: object) -> Code:
    return (yield [_task() for _ in range(5)])


def napping(_instance_id: str, _input: object) -> Code:
    yield [_timer(0.05)]
    return (yield [_task()])


def family(instance_id: str, _input: object) -> Code:
    children = [_child("chain"), _child("napping"), _child("chain", f"{instance_id}-own")]
    outputs = yield children
    return [token for output in outputs for token in output]


def collecting(_instance_id: str, _input: object) -> Code:
    """Return all that is raised until the end is, doing something in between."""
    received: list[Any] = []
    while (item := (yield [_EVENT])[0]) != END:
        received.append(item)
        yield [_task()]
    return received


def renewing(_instance_id: str, input: Any) -> Code:
    """The same in an execution for each event."""
    item = (yield [_EVENT])[0]
    if item != END:
        yield [_task()]
        raise Renewal([*input, item])
    return input


def waiting(_instance_id: str, _input: object) -> Code:
    """Never end: others terminate it."""
    yield [_task(), _task(), _EVENT]
    return None


WORKFLOWS: dict[str, Callable[[str, Any], Code]] = {
    code.__name__: code for code in (chain, fan_out, napping, family, collecting, renewing, waiting)
}


@dataclass(slots=True)
class _Past:
    """What history has recorded."""

    workflow: str = ""
    input: object = None
    asked: set[int] = field(default_factory=set)
    results: dict[int, Any] = field(default_factory=dict)
    events: deque[tuple[str, str]] = field(default_factory=deque)

    def take(self, event: wire.HistoryEvent) -> None:
        """Take an event of the history."""
        kind = event.WhichOneof("event_type")
        if kind == "execution_started":
            self.workflow = event.execution_started.name
            self.input = json.loads(event.execution_started.input.value or "null")
        elif kind in {"task_scheduled", "timer_created", "child_workflow_instance_created"}:
            self.asked.add(event.event_id)
        elif kind == "task_completed":
            done = event.task_completed
            self.results[done.task_scheduled_id] = json.loads(done.result.value)
        elif kind == "child_workflow_instance_completed":
            ended = event.child_workflow_instance_completed
            self.results[ended.task_scheduled_id] = json.loads(ended.result.value)
        elif kind == "timer_fired":
            self.results[event.timer_fired.timer_id] = None
        elif kind == "event_raised":
            raised = event.event_raised
            self.events.append((raised.name, raised.input.value))


def decide(instance_id: str, history: Iterable[wire.HistoryEvent]) -> list[wire.WorkflowAction]:
    """Return what the code asks for that history has not."""
    past = _Past()
    for event in history:
        past.take(event)
    actions: list[wire.WorkflowAction] = []
    numbers = itertools.count(1)
    code = WORKFLOWS[past.workflow](instance_id, past.input)
    try:
        requests = next(code)
        while (values := _values(past, requests, numbers, actions)) is not None:
            requests = code.send(values)
    except StopIteration as end:
        actions.append(hub.complete(next(numbers), json.dumps(end.value)))
    except Renewal as renewal:
        text = json.dumps(renewal.input)
        actions.append(hub.continue_as_new(next(numbers), text, past.events))
    return actions


def _values(
    past: _Past,
    requests: Sequence[Request],
    numbers: Iterator[int],
    actions: list[wire.WorkflowAction],
) -> list[Any] | None:
    """Return what the requests have come to; None while one is open."""
    values: list[Any] = []
    for request in requests:
        if request.action is None:
            if past.events:
                values.append(json.loads(past.events.popleft()[1]))
            continue
        number = next(numbers)
        if number not in past.asked:
            actions.append(request.action(number))
        if number in past.results:
            values.append(past.results[number])
    return values if len(values) == len(requests) else None
