"""A process that runs many workflows is killed again and again, and nobody could tell.

`FLOWYARD_KILL_ROUNDS=20` runs it with more seeds. When the kills strike is up to the machine too,
so a seed repeats what was intended, not always what happened.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.programs.shapes import END, INSTANCES, tokens_in
from flowyard import InstanceNotFound, InstanceQuery, Runtime, WorkflowStatus
from flowyard.history import (
    ChildCompleted,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    TaskCompleted,
)

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime
    from program import Program, StartProgram

SEEDS = range(int(os.environ.get("FLOWYARD_KILL_ROUNDS", "3")))
_LONG_WITHOUT_A_LINE = 100
_COLLECTORS = [one for one, shape in INSTANCES if shape.startswith("collecting")]
Histories = dict[str, Sequence[HistoryEvent]]


async def read_histories(runtime: Runtime) -> Histories:
    page = await runtime.list()
    instances = [*page.instances]
    while page.continuation_token is not None:
        page = await runtime.list(InstanceQuery(continuation_token=page.continuation_token))
        instances += page.instances
    return {one.instance_id: await runtime.history(one.instance_id) for one in instances}


def execution_of(history: Sequence[HistoryEvent]) -> str | None:
    return next((one.execution_id for one in history if isinstance(one, ExecutionStarted)), None)


def check_that_nothing_changed(earlier: Histories, later: Histories) -> None:
    """Each history begins with what it was, unless the instance has continued as new."""
    for instance_id, history in earlier.items():
        now = later[instance_id]
        if execution_of(history) == execution_of(now):
            assert list(now[: len(history)]) == list(history), instance_id


class Raiser:
    """Raises events from this process while the other one lives and dies."""

    def __init__(self, choices: random.Random) -> None:
        self.acknowledged: list[tuple[str, str]] = []
        self._choices = choices
        self._numbers = iter(range(1_000_000))

    async def raise_until(self, runtime: Runtime, ended: asyncio.Event) -> None:
        while not ended.is_set():
            instance_id = self._choices.choice(_COLLECTORS)
            item = f"raised {next(self._numbers)}"
            with suppress(InstanceNotFound):  # not started yet
                assert await runtime.raise_event(instance_id, "item", item)
                self.acknowledged.append((instance_id, item))
            await asyncio.sleep(self._choices.random() / 100)


def count_lines(log: Path) -> int:
    return len(log.read_text().splitlines())


async def live_until_killed(program: Program, log: Path, lines: int) -> None:
    """Kill the program once its activities have written so many lines, or none for a while."""
    target = count_lines(log) + lines
    steered = asyncio.create_task(program.says("steered"))
    last, repeated = 0, 0
    while (now := count_lines(log)) < target and repeated < _LONG_WITHOUT_A_LINE:
        await asyncio.sleep(0.005)
        repeated = repeated + 1 if now == last and steered.done() else 0
        last = now
    program.kill()
    await asyncio.gather(steered, return_exceptions=True)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(300)
async def test_two_hundred_workflows_survive_any_number_of_kills(
    seed: int,
    open_runtime: OpenRuntime,
    start_program: StartProgram,
    database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    choices = random.Random(seed)  # noqa: S311 - not for secrets
    log, acknowledged = tmp_path / "log", tmp_path / "acknowledged"
    log.touch()
    monkeypatch.setenv("FLOWYARD_TEST_LOG", str(log))
    raiser = Raiser(choices)
    histories: Histories = {}

    for life in range(choices.randint(4, 7)):
        program = start_program("living", database, acknowledged)
        lines = choices.randint(1, 250)
        if life % 2:
            ended = asyncio.Event()
            async with open_runtime() as manager:
                raising = asyncio.create_task(raiser.raise_until(manager, ended))
                await live_until_killed(program, log, lines)
                ended.set()
                await raising
        else:
            # Nobody else has the file open: the next one finds it as the kill has left it.
            await live_until_killed(program, log, lines)
        async with open_runtime() as manager:
            now = await read_histories(manager)
        check_that_nothing_changed(histories, now)
        histories = now

    program = start_program("living", database, acknowledged)
    await program.says("steered")
    async with open_runtime() as manager:
        for instance_id in _COLLECTORS:
            await manager.raise_event(instance_id, "item", END)
    await program.ends_well()

    async with open_runtime() as manager:
        now = await read_histories(manager)
        check_that_nothing_changed(histories, now)
        outputs = {}
        for instance_id, _ in INSTANCES:
            state = await manager.get(instance_id)
            assert state.status is WorkflowStatus.COMPLETED, state
            outputs[instance_id] = state.result(list[str])
            if instance_id.startswith("paused"):
                assert state.custom_status == "all steps"
    check_results(now, outputs, log)
    check_events(outputs, raiser.acknowledged, acknowledged)
    check_that_nothing_is_left(database)


def check_results(histories: Histories, outputs: dict[str, list[str]], log: Path) -> None:
    """Each finished once, with the results that its history records, and they were real."""
    made = Counter(token for _, token in tokens_in(log))
    assert set(made.values()) == {1}
    for instance_id, shape in INSTANCES:
        history, output = histories[instance_id], outputs[instance_id]
        ends = [one for one in history if isinstance(one, ExecutionCompleted)]
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
    outputs: dict[str, list[str]], from_here: list[tuple[str, str]], log: Path
) -> None:
    """What was acknowledged came once, in the order of its raising."""
    from_there = [tuple(line.split(" ", 1)) for line in log.read_text().splitlines()]
    assert from_here
    assert from_there
    for instance_id in _COLLECTORS:
        received = outputs[instance_id]
        assert set(Counter(received).values()) <= {1}
        for source in (from_here, from_there):
            raised = [item for receiver, item in source if receiver == instance_id]
            assert [item for item in received if item in set(raised)] == raised


def check_that_nothing_is_left(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (0,)
        woken = "SELECT count(*) FROM instances WHERE wake_at IS NOT NULL"
        assert connection.execute(woken).fetchone() == (0,)
        lost = "SELECT count(*) FROM history WHERE run NOT IN (SELECT run FROM instances)"
        assert connection.execute(lost).fetchone() == (0,)
