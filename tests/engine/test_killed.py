"""A process that runs many workflows is killed again and again, and nobody could tell.

`FLOWYARD_KILL_ROUNDS=20` runs it with more seeds. When the kills strike is up to the machine too,
so a seed repeats what was intended, not always what happened.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.programs.shapes import END, INSTANCES
from ledger import (
    Histories,
    Raiser,
    check_events,
    check_results,
    check_that_nothing_changed,
    collectors_of,
    live,
    read_histories,
    read_outputs,
)

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime
    from program import StartProgram

ROUNDS = int(os.environ.get("FLOWYARD_KILL_ROUNDS", "3"))
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, ROUNDS))]


@pytest.mark.parametrize("seed", SEEDS)
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
    raiser = Raiser(choices, INSTANCES)
    histories: Histories = {}

    for life in range(choices.randint(4, 7)):
        program = start_program("load", database, acknowledged)
        lines = choices.randint(1, 250)
        if life % 2:
            ended = asyncio.Event()
            async with open_runtime() as manager:
                raising = asyncio.create_task(raiser.raise_until(manager, ended))
                await live(program, log, lines)
                program.kill()
                ended.set()
                await raising
        else:
            # Nobody else has the file open: the next one finds it as the kill has left it.
            await live(program, log, lines)
            program.kill()
        async with open_runtime() as manager:
            now = await read_histories(manager, INSTANCES)
        check_that_nothing_changed(histories, now)
        histories = now

    program = start_program("load", database, acknowledged)
    await program.says("steered")
    async with open_runtime() as manager:
        for instance_id in collectors_of(INSTANCES):
            await manager.raise_event(instance_id, "item", END)
    await program.ends_well()

    async with open_runtime() as manager:
        now = await read_histories(manager, INSTANCES)
        check_that_nothing_changed(histories, now)
        outputs = await read_outputs(manager, INSTANCES)
    check_results(INSTANCES, now, outputs, log)
    check_events(INSTANCES, outputs, raiser.acknowledged, acknowledged)
    check_that_nothing_is_left(database)


def check_that_nothing_is_left(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (0,)
        woken = "SELECT count(*) FROM instances WHERE wake_at IS NOT NULL"
        assert connection.execute(woken).fetchone() == (0,)
        lost = "SELECT count(*) FROM history WHERE run NOT IN (SELECT run FROM instances)"
        assert connection.execute(lost).fetchone() == (0,)
