"""An instance ID is given to one instance at a time, whoever asks for it at the same moment."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest

from conductor.conftest import OpenRuntime
from conductor.programs.load import spec_of
from flowyard import InstanceQuery, Runtime
from flowyard_conductor.api.names import Names
from program import StartProgram

PROCESSES, INSTANCES = 4, 15


@pytest.mark.parametrize("workflow", ["native-waiter", "waiting"])
async def test_of_several_processes_that_start_one_id_exactly_one_wins(
    native_url: str, start_program: StartProgram, workflow: str
) -> None:
    prefix, queue = f"race-{uuid4().hex}", f"race.{uuid4().hex[:8]}"
    racers = [
        start_program("racing", native_url, queue, workflow, prefix, INSTANCES)
        for _ in range(PROCESSES)
    ]
    for racer in racers:
        await racer.says("ready")
    for racer in racers:
        racer.told()
    for racer in racers:
        await racer.says("done")
        await racer.ends_well()
    won = [line for racer in racers for line in racer.lines if line.startswith("won ")]
    assert sorted(won) == sorted(f"won {prefix}-{number}" for number in range(INSTANCES))
    async with Runtime.open([spec_of(native_url, queue)]) as runtime:
        page = await runtime.list(InstanceQuery(instance_id_prefix=prefix))
        assert sorted(instance.instance_id for instance in page.instances) == sorted(
            f"{prefix}-{number}" for number in range(INSTANCES)
        )
        for instance in page.instances:
            await runtime.terminate(instance.instance_id)


async def test_a_lock_that_a_dead_process_has_left_is_taken_over_by_one(
    native_url: str, open_native: OpenRuntime
) -> None:
    instance_id = f"left-{uuid4().hex}"
    lock = {
        "name": Names("flowyard").id_lock(instance_id),
        "version": 1,
        "schemaVersion": 2,
        "ownerEmail": "flowyard@localhost",
        "ownerApp": "a process that died",
        "timeoutSeconds": 0,
        "tasks": [{"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}],
    }
    async with httpx.AsyncClient(base_url=native_url) as client, open_native() as runtime:
        (await client.post("/metadata/workflow", json=lock)).raise_for_status()
        outcomes = await asyncio.gather(
            *(runtime.start("native-waiter", instance_id=instance_id) for _ in range(3)),
            return_exceptions=True,
        )
        assert outcomes.count(instance_id) == 1
        left = await client.get(f"/metadata/workflow/{lock['name']}")
        assert left.status_code == 404
        await runtime.terminate(instance_id)
