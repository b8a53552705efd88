"""What many workflows have to come to, however often those who run them are killed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from engine.programs.shapes import tokens_in
from flowyard import FlowyardError, InstanceNotFound, Runtime, WorkflowStatus
from flowyard.backend.history import (
    ChildCompleted,
    ChildCreated,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    TaskCompleted,
)
from program import Program

_LONG_WITHOUT_A_LINE = 100
Histories = dict[str, Sequence[HistoryEvent]]
Instances = Sequence[tuple[str, str]]
"""IDs and shapes."""
Outputs = dict[str, list[str]]


async def read_histories(runtime: Runtime, instances: Instances) -> Histories:
    """Read the histories of all that have been started, and of their children."""
    found: Histories = {}
    unread = [instance_id for instance_id, _ in instances]
    while unread:
        instance_id = unread.pop()
        with suppress(InstanceNotFound):
            found[instance_id] = await runtime.history(instance_id)
            created = (event for event in found[instance_id] if isinstance(event, ChildCreated))
            unread += [event.instance_id for event in created]
    return found


def collectors_of(instances: Instances) -> list[str]:
    """Return the instances that wait for items."""
    return [one for one, shape in instances if shape.startswith("collecting")]


def execution_of(history: Sequence[HistoryEvent]) -> str | None:
    return next(
        (event.execution_id for event in history if isinstance(event, ExecutionStarted)), None
    )


def check_that_nothing_changed(earlier: Histories, later: Histories) -> None:
    """Each history begins with what it was, unless the instance has continued as new."""
    for instance_id, history in earlier.items():
        now = later[instance_id]
        if execution_of(history) == execution_of(now):
            assert list(now[: len(history)]) == list(history), instance_id


async def read_outputs(runtime: Runtime, instances: Instances) -> Outputs:
    """Read what all have completed with."""
    outputs = {}
    for instance_id, shape in instances:
        state = await runtime.get(instance_id)
        assert state.status is WorkflowStatus.COMPLETED, state
        outputs[instance_id] = state.result(list[str])
        if shape == "paused":
            assert state.custom_status == "all steps"
    return outputs


class Raiser:
    """Raises events from this process while the other one lives and dies."""

    def __init__(
        self,
        choices: random.Random,
        instances: Instances,
        *unacknowledged: type[FlowyardError],
    ) -> None:
        self.acknowledged: list[tuple[str, str]] = []
        self._choices = choices
        self._collectors = collectors_of(instances)
        self._unacknowledged: tuple[type[FlowyardError], ...] = (InstanceNotFound, *unacknowledged)
        self._numbers = iter(range(1_000_000))

    async def raise_until(self, runtime: Runtime, ended: asyncio.Event) -> None:
        while not ended.is_set():
            instance_id = self._choices.choice(self._collectors)
            item = f"raised {next(self._numbers)}"
            with suppress(*self._unacknowledged):  # not started yet, if nothing else
                assert await runtime.raise_event(instance_id, "item", item)
                self.acknowledged.append((instance_id, item))
            await asyncio.sleep(self._choices.random() / 100)


def count_lines(log: Path) -> int:
    return len(log.read_text().splitlines())


async def live(program: Program, log: Path, lines: int) -> None:
    """Return once the activities have written so many lines, or none for a while."""
    target = count_lines(log) + lines
    steered = asyncio.create_task(program.says("steered"))
    last, repeated = 0, 0
    while (now := count_lines(log)) < target and repeated < _LONG_WITHOUT_A_LINE:
        await asyncio.sleep(0.005)
        repeated = repeated + 1 if now == last and steered.done() else 0
        last = now
    steered.cancel()


def check_results(instances: Instances, histories: Histories, outputs: Outputs, log: Path) -> None:
    """Each finished once, with the results that its history records, and they were real."""
    made = Counter(token for _, token in tokens_in(log))
    assert set(made.values()) == {1}
    for instance_id, shape in instances:
        history, output = histories[instance_id], outputs[instance_id]
        ends = [event for event in history if isinstance(event, ExecutionCompleted)]
        assert ends == [history[-1]]
        if shape.startswith("collecting"):
            continue
        recorded = {token for event in history for token in tokens_of(event)}
        expected = {"chain": 3, "fan_out": 5, "retried": 2, "timed": 3, "renewing": 5}
        expected |= {"family": 7, "racing": 2, "paused": 4, "failing": 2}
        assert len(set(output)) == len(output) == expected[shape], instance_id
        assert set(output) <= set(made)
        if shape == "renewing":
            assert recorded == {output[-1]}
        else:
            assert recorded == set(output)


def tokens_of(event: HistoryEvent) -> list[str]:
    if isinstance(event, TaskCompleted):
        return [json.loads(event.output or "")]
    if isinstance(event, ChildCompleted):
        return [str(token) for token in json.loads(event.output or "")]
    return []


def check_events(
    instances: Instances, outputs: Outputs, from_here: list[tuple[str, str]], log: Path
) -> None:
    """What was acknowledged came once, in the order of its raising."""
    from_there = [tuple(line.split(" ", 1)) for line in log.read_text().splitlines()]
    assert from_here
    assert from_there
    for instance_id in collectors_of(instances):
        received = outputs[instance_id]
        assert set(Counter(received).values()) <= {1}
        for source in (from_here, from_there):
            raised = [item for receiver, item in source if receiver == instance_id]
            assert [item for item in received if item in set(raised)] == raised
