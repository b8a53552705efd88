"""The app that the tests of the command run."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

from pydantic import BaseModel

from flowyard import ActivityContext, App, WorkflowContext

app = App()
not_an_app = "text"


class Parcel(BaseModel):
    """A typed input."""

    weight: int


@app.workflow
async def echo(ctx: WorkflowContext, value: Any = None) -> Any:
    """Return the input."""
    return value


@app.workflow
async def post(ctx: WorkflowContext, parcel: Parcel) -> int:
    """Return what it weighs."""
    return parcel.weight


@app.workflow
async def gate(ctx: WorkflowContext) -> Any:
    """Wait for an event."""
    ctx.set_custom_status("at the [bold]gate")
    return await ctx.wait_for_external_event("go")


@app.workflow
async def fail(ctx: WorkflowContext) -> None:
    """Fail."""
    raise ValueError("it rains")


@app.activity
def double(ctx: ActivityContext, number: int) -> int:
    """Return twice the number."""
    return 2 * number


@app.workflow
async def call(ctx: WorkflowContext, number: int = 1) -> int:
    """Return twice the number."""
    return await ctx.call_activity(double, input=number)


@app.workflow
async def unserved(ctx: WorkflowContext) -> None:
    """Wait for an activity that nobody has."""
    await ctx.call_activity("not_there")


@app.activity
def doze(ctx: ActivityContext, seconds: float) -> None:
    """Sleep in a thread, which nothing can stop."""
    time.sleep(seconds)


@app.workflow
async def nap(ctx: WorkflowContext, seconds: float) -> None:
    """Sleep."""
    ctx.set_custom_status("asleep")
    await ctx.call_activity(doze, input=seconds)


@app.activity
async def crowd(ctx: ActivityContext, input: None) -> None:
    """Signal this process while more wakes its event loop than the loop's pipe holds."""
    loop = asyncio.get_running_loop()
    for _ in range(100_000):
        loop.call_soon_threadsafe(int)
    os.kill(os.getpid(), signal.SIGTERM)


@app.workflow
async def stop_in_a_crowd(ctx: WorkflowContext) -> None:
    """Stop the server under load."""
    await ctx.call_activity(crowd)
