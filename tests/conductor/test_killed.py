"""Processes that run many workflows, and the server, are killed in turn, and nobody could tell.

`FLOWYARD_KILL_ROUNDS=20` runs it with more seeds. When the kills strike is up to the machine too,
so a seed repeats what was intended, not always what happened.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor.programs.load import spec_of
from engine.programs.shapes import END, instances_of
from flowyard import BackendUnavailable, Runtime
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
from program import StartProgram
from servers.conductor_server import ConductorServer
from servers.fixtures import StartConductor

SEEDS = range(int(os.environ.get("FLOWYARD_KILL_ROUNDS", "1")))
QUEUE = "killed"
EACH = 3
INSTANCES = instances_of(EACH)


@pytest.fixture
def server(
    start_conductor: StartConductor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ConductorServer]:
    # As slow as a server can be: it comes to no script in time.
    monkeypatch.setenv("CONDUCTOR_SCRIPT_MAX_EXECUTION_SECONDS", "0")
    with start_conductor(database=tmp_path / "conductor.db") as server:
        yield server


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(1200)
async def test_workflows_survive_any_number_of_kills_of_their_process_and_of_the_server(
    seed: int,
    server: ConductorServer,
    start_program: StartProgram,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    choices = random.Random(seed)  # noqa: S311 - not for secrets
    log, acknowledged = tmp_path / "log", tmp_path / "acknowledged"
    log.touch()
    monkeypatch.setenv("FLOWYARD_TEST_LOG", str(log))
    raiser = Raiser(choices, INSTANCES, BackendUnavailable)
    histories: Histories = {}
    url = f"{server.url}/api"

    program = start_program("load", url, QUEUE, EACH, acknowledged)
    async with Runtime.open([spec_of(url, QUEUE)]) as manager:
        for struck in choices.sample(["process", "server", "both", "process"], 4):
            ended = asyncio.Event()
            raising = asyncio.create_task(raiser.raise_until(manager, ended))
            await live(program, log, choices.randint(1, 40))
            if struck != "server":
                program.kill()
            if struck != "process":
                await asyncio.to_thread(server.restart)
            if struck != "server":
                program = start_program("load", url, QUEUE, EACH, acknowledged)
            ended.set()
            await raising
            now = await read_histories(manager, INSTANCES)
            check_that_nothing_changed(histories, now)
            histories = now

        await program.says("steered")
        for instance_id in collectors_of(INSTANCES):
            await manager.raise_event(instance_id, "item", END)
        await program.says("done")
        await program.ends_well()

        now = await read_histories(manager, INSTANCES)
        check_that_nothing_changed(histories, now)
        outputs = await read_outputs(manager, INSTANCES)
    check_results(INSTANCES, now, outputs, log)
    check_events(INSTANCES, outputs, raiser.acknowledged, acknowledged)
