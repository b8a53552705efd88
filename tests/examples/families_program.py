"""Starts parents of three children each; most of them never end unless the file `gate` exists."""

from __future__ import annotations

import asyncio
from pathlib import Path

from demo import reached
from flowyard import ActivityContext, InstanceNotFound, Runtime
from outside_world import say
from patterns import app, parent, world

GATE_IS_OPEN = Path("gate").exists()
PARENTS = [f"family-{number}" for number in range(1, 4)]
NAMES = ["a", "b", "c"]


async def gated(ctx: ActivityContext, name: str) -> str:
    """Finish at once for the first name, for the others if the gate is open."""
    world.work(ctx, "begin", name)
    if name != "a" and not GATE_IS_OPEN:
        await asyncio.Event().wait()  # until the program is killed
    return f"child of {name}"


async def main() -> None:
    """Start the parents unless a killed run has, and print their results."""
    async with Runtime.open("components.yaml", app.with_activities({"unreliable": gated})) as rt:
        for family in PARENTS:
            try:
                await rt.get(family)
            except InstanceNotFound:
                await rt.start(parent, input=NAMES, instance_id=family)
        for family in PARENTS:
            # It begins with the first turn of its parent, which may not have been taken yet.
            state = await reached(rt, f"{family}:a", lambda state: state.status.is_closed)
            say(f"{state.instance_id} is {state.status}")
        for family in PARENTS:
            state = await rt.wait(family)
            say(f"{family} is {state.status}: {state.result()}")


if __name__ == "__main__":
    asyncio.run(main())
