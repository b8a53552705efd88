"""Turns of hosted workflows: they run on the event loop, for as long as they take."""

from __future__ import annotations

import time

from flowyard import ActivityContext, App, Runtime, WorkflowContext
from flowyard.config import ComponentSpec

# Temporal's SDK lets go of code that takes longer than two seconds.
LONG = 2.5
app = App()
turns: list[str] = []


@app.activity
async def step(_: ActivityContext) -> str:
    return "done"


@app.workflow
async def deliberate(ctx: WorkflowContext) -> str:
    await ctx.call_activity(step)
    time.sleep(LONG)  # noqa: ASYNC251 - as code that computes does
    turns.append(ctx.instance_id)
    return await ctx.call_activity(step)


async def test_a_turn_that_takes_long_is_carried_out_once(temporal_server: str) -> None:
    metadata = {"hostPort": temporal_server, "taskQueue": "deliberate"}
    spec = ComponentSpec(name="orders", type="workflow.temporal", metadata=metadata)
    async with Runtime.open([spec], app) as runtime:
        state = await runtime.wait(await runtime.start(deliberate, instance_id="deliberate"))
    assert state.result(str) == "done"
    assert turns == ["deliberate"]
