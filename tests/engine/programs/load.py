"""One life of the process that is killed again and again: all shapes, until the last is done.

Arguments: the file, the log of what was acknowledged. Says "steered" when it has raised its
events, and paused and resumed, and "done" at the end.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path

from engine.programs.shapes import EACH, INSTANCES, SHAPES, app
from flowyard import InstanceAlreadyExists, ReusePolicy, Runtime
from flowyard.config import ComponentSpec


async def start(runtime: Runtime, instance_id: str, shape: str) -> None:
    """Start what an earlier life has not."""
    workflow, value = SHAPES[shape]
    try:
        await runtime.start(
            workflow, input=value, instance_id=instance_id, reuse=ReusePolicy.REJECT
        )
    except InstanceAlreadyExists:
        return


async def raise_items(runtime: Runtime, acknowledged: int) -> None:
    """Raise items, and note each the moment it is acknowledged."""
    for number in range(EACH):
        for shape in ("collecting", "collecting_for_ever"):
            item = uuid.uuid4().hex
            if await runtime.raise_event(f"{shape}-{number}", "item", item):
                os.write(acknowledged, f"{shape}-{number} {item}\n".encode())


async def pause_and_resume(runtime: Runtime) -> None:
    for number in range(EACH):
        await runtime.pause(f"paused-{number}")
        await runtime.resume(f"paused-{number}")


async def main(database: Path, log: Path) -> None:
    metadata = {
        "connectionString": f"sqlite:///{database}",
        "leaseSeconds": "0.5",
        "cachedInstances": "50",
    }
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    acknowledged = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with Runtime.open([spec], app) as runtime:
        await asyncio.gather(*(start(runtime, *instance) for instance in INSTANCES))
        await asyncio.gather(raise_items(runtime, acknowledged), pause_and_resume(runtime))
        print("steered", flush=True)  # noqa: T201 - that is how the test knows
        await asyncio.gather(*(runtime.wait(instance_id) for instance_id, _ in INSTANCES))
        print("done", flush=True)  # noqa: T201 - that is how the test knows
    os.close(acknowledged)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
