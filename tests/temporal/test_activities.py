"""Activities of hosted workflows whose instance, or whose process, ends before they do."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from flowyard import ActivityContext, App, Runtime, WorkflowContext
from flowyard.config import ComponentSpec
from flowyard_temporal.hosted import activities
from temporal.waiting import until

LONG_ENOUGH = 2.0
"""Several heartbeats: one that is told of a termination is told by then."""


class Errand:
    """An app whose only activity stands still until it may end."""

    def __init__(self) -> None:
        self.app = App()
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ended: asyncio.Queue[str] = asyncio.Queue()

        @self.app.activity
        async def stand(_: ActivityContext) -> str:
            self.begun.set()
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.ended.put_nowait("cancelled")
                raise
            self.ended.put_nowait("at its end")
            return "done"

        @self.app.workflow
        async def errand(ctx: WorkflowContext) -> str:
            return await ctx.call_activity(stand)


@pytest.fixture
def spec(temporal_server: str) -> ComponentSpec:
    # The worker is told of a termination by the answer to a heartbeat.
    metadata = {"hostPort": temporal_server, "taskQueue": uuid4().hex, "heartbeatTimeout": "0.5"}
    return ComponentSpec(name="orders", type="workflow.temporal", metadata=metadata)


async def test_an_activity_goes_on_when_its_instance_is_terminated(spec: ComponentSpec) -> None:
    errand = Errand()
    async with Runtime.open([spec], errand.app) as runtime:
        instance_id = await runtime.start("errand")
        await errand.begun.wait()
        assert await runtime.terminate(instance_id)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(LONG_ENOUGH):
                await errand.ended.get()
        errand.may_end.set()
        assert await errand.ended.get() == "at its end"


async def test_an_activity_that_a_process_leaves_at_its_end_is_run_by_the_next(
    spec: ComponentSpec,
) -> None:
    errand = Errand()
    async with Runtime.open([spec], errand.app) as runtime:
        instance_id = await runtime.start("errand")
        await errand.begun.wait()
    assert await errand.ended.get() == "cancelled"
    errand.may_end.set()
    async with Runtime.open([spec], errand.app) as runtime:
        assert (await runtime.wait(instance_id)).result(str) == "done"


async def test_an_activity_that_one_process_lacks_goes_to_another_that_has_it(
    spec: ComponentSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activities, "_FIRST_KEPT", 0.2)
    older, newer = App(), App()

    @older.workflow
    async def errand(ctx: WorkflowContext) -> object:
        return await ctx.call_activity("stand")

    newer.workflow(errand)

    @newer.activity
    async def stand(_: ActivityContext) -> str:
        return "done"

    async with Runtime.open([spec], older) as first:
        instance_id = await first.start("errand")
        await until(lambda: first.get(instance_id), lambda state: state.detail is not None)
        async with Runtime.open([spec], newer):
            assert (await first.wait(instance_id)).result(str) == "done"
