"""Does 100 pieces of work; only 40 of them can be done unless the file `gate` exists."""

from __future__ import annotations

import asyncio
from pathlib import Path

from demo import resume_or_start
from flowyard import ActivityContext, Runtime
from flowyard.backend.history import TaskCompleted
from outside_world import say
from patterns import app, do_work, fan_out, world

GATE_IS_OPEN = Path("gate").exists()
PIECES = 100
RECORDED = 1 + 40  # get_work, and what the gate lets pass


async def gated_work(ctx: ActivityContext, item: int) -> int:
    """Do one piece, the later ones only if the gate is open."""
    world.work(ctx, "begin", str(item))
    if item > 40 and not GATE_IS_OPEN:
        await asyncio.Event().wait()  # until the program is killed
    world.work(ctx, "end", str(item))
    return await do_work(ctx, item)


async def main() -> None:
    """Start or resume the work, and say when all were begun and 40 results were recorded."""
    async with Runtime.open("components.yaml", app.with_activities({"do_work": gated_work})) as rt:
        instance_id = await resume_or_start(rt, fan_out, "batch", PIECES)
        recorded = begun = 0
        while recorded < RECORDED or begun < PIECES:
            await asyncio.sleep(0.05)
            begun = sum(activity == "begin" for activity, _ in world.calls())
            history = await rt.history(instance_id)
            recorded = sum(isinstance(event, TaskCompleted) for event in history)
        say("40 results are recorded")
        say(f"The sum is {(await rt.wait(instance_id)).result()}.")


if __name__ == "__main__":
    asyncio.run(main())
