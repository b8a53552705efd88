"""A call that comes with the start of its instance is for that instance, or finds none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.scripted import ScriptedExecutor, open_scripted
from flowyard import WorkflowState, WorkflowStatus
from flowyard_engine.component import EngineComponent


async def test_a_termination_during_which_the_instance_is_started_ends_it(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_looked, is_started = asyncio.Event(), asyncio.Event()
    get = EngineComponent.get

    async def get_later(
        self: EngineComponent, instance_id: str, *, payloads: bool = True
    ) -> WorkflowState:
        has_looked.set()
        await is_started.wait()
        return await get(self, instance_id, payloads=payloads)

    monkeypatch.setattr(EngineComponent, "get", get_later)
    async with open_scripted(database, ScriptedExecutor()) as runtime:
        terminating = asyncio.create_task(runtime.terminate("it"))
        # The engine has found nothing; it has yet to be told whether the instance has closed.
        await has_looked.wait()
        await runtime.start("any", "new", instance_id="it")
        is_started.set()
        assert await terminating
        assert (await runtime.get("it")).status is WorkflowStatus.TERMINATED
