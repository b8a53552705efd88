"""The server goes from step to step without a script, also where steps are lost."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from flowyard_conductor.api.names import Names
from flowyard_conductor.hosted.definitions import Definitions
from flowyard_conductor.hosted.loop_condition import MOST_STEPS, inputs, iterations_of

# More than the short list holds, so that a longer one is needed.
STEPS = 140


async def poll(client: httpx.AsyncClient, kind: str) -> dict[str, Any]:
    """Return the next task of a type."""
    async with asyncio.timeout(60):
        while True:
            query: dict[str, str | int] = {"count": 1, "timeout": 0, "workerid": "test"}
            if tasks := (await client.get(f"/tasks/poll/batch/{kind}", params=query)).json():
                task: dict[str, Any] = tasks[0]
                return task
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("lost", [{1, 2, 3}, {2, 60, 61, *range(129, 139)}])
async def test_one_step_follows_the_other_until_one_ends_the_instance(
    conductor_server: str, lost: set[int]
) -> None:
    names = Names(f"rounds.{uuid4().hex[:8]}")
    body = {
        "name": names.definition("w"),
        "version": 1,
        "workflowDef": Definitions(names, 10).instance("w"),
        "correlationId": uuid4().hex,
        "input": {"step1": {"next": "activity", "activity": "reserve", "input": "5"}},
    }
    kind = names.activity
    async with httpx.AsyncClient(base_url=f"{conductor_server}/api", timeout=60) as client:
        workflow_id = (await client.post("/workflow", json=body)).raise_for_status().text
        for number in range(1, STEPS + 1):
            task = await poll(client, kind)
            assert task["referenceTaskName"] == f"step__{number}"
            assert task["inputData"]["activity"] == ("reserve" if number == 1 else None)
            output: dict[str, Any] = {"recordId": str(number), "iterations": iterations_of(number)}
            if number == STEPS:
                output |= {"end": "COMPLETED", "outcome": "done"}
            update = {
                "workflowInstanceId": workflow_id,
                "taskId": task["taskId"],
                "status": "COMPLETED",
                "outputData": {} if number in lost else output,
            }
            (await client.post("/tasks", json=update)).raise_for_status()
            kind = names.step
        workflow = (await client.get(f"/workflow/{workflow_id}")).json()
        await client.delete(f"/workflow/{workflow_id}/remove")
    assert workflow["status"] == "COMPLETED"
    assert workflow["output"] == {"outcome": "done"}


def test_the_list_is_always_longer_than_what_may_follow() -> None:
    given = inputs()
    for number in (*range(300), 871, 872, 873, 99_000, MOST_STEPS - 300):
        size = given["iterations"][iterations_of(number)]
        is_few = size == "upTo256"
        length = len(given["items"]["nullupTo256"]) if is_few else 1
        for level in () if is_few else size.strip("[]").split("]["):
            length *= len(level.split(","))
        assert number + 100 < length
