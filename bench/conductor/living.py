"""A process that hosts workflows and is killed: `python -m bench.conductor.living URL QUEUE`.

Prints READY, and the input of every activity that it begins.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from bench.conductor.recovery import SECONDS
from bench.conductor.server import open_runtime
from flowyard import ActivityContext, App, WorkflowContext, when_all

app = App()


@app.activity
async def work(_: ActivityContext, name: str) -> None:
    """Take as long as an activity of the shape does that the name begins with."""
    print(name, flush=True)
    await asyncio.sleep(SECONDS[name.split()[0]])


@app.workflow
async def steps(ctx: WorkflowContext, name: str) -> None:
    """Do three things, one after the other."""
    for number in range(3):
        await ctx.call_activity(work, input=f"{name} {number}")


@app.workflow
async def fan(ctx: WorkflowContext, name: str) -> None:
    """Do twenty things side by side."""
    await when_all([ctx.call_activity(work, input=f"{name} {number}") for number in range(20)])


@app.workflow
async def event(ctx: WorkflowContext, name: str) -> None:
    """Wait for an event, but not for ever, and do one thing."""
    await ctx.wait_for_external_event("go", timeout=timedelta(hours=1))
    await ctx.call_activity(work, input=f"{name} 0")


@app.workflow
async def child(ctx: WorkflowContext, name: str) -> None:
    """Have a child do three things."""
    await ctx.call_child_workflow(steps, input=name)


async def main(url: str, queue: str) -> None:
    """Host until killed."""
    async with open_runtime(url, app, queue):
        print("READY", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
