"""One life of the process that is killed again and again: all shapes, until the last is done.

Arguments: the URL of the API, the task queue, how many of each shape, the log of what was
acknowledged. Says "steered" when it has raised its events, and paused and resumed, and "done" at
the end.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.programs.shapes import app, instances_of
from flowyard import Runtime, WorkflowState
from flowyard.config import ComponentSpec
from temporal.programs.load import insist, pause_and_resume, raise_item, start

LEASE_SECONDS = 4


def spec_of(url: str, queue: str) -> ComponentSpec:
    """Return the component that all lives, and the test, open."""
    metadata = {"url": url, "taskQueue": queue, "leaseSeconds": str(LEASE_SECONDS)}
    return ComponentSpec("orders", "workflow.conductor", metadata=metadata)


async def main(url: str, queue: str, each: int, log: Path) -> None:
    acknowledged = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    instances = instances_of(each)

    def wait(instance_id: str) -> Callable[[], Awaitable[WorkflowState]]:
        return lambda: runtime.wait(instance_id)

    async with Runtime.open([spec_of(url, queue)], app) as runtime:
        await asyncio.gather(*(start(runtime, *instance) for instance in instances))
        for instance_id, shape in instances:
            if shape.startswith("collecting"):
                await raise_item(runtime, instance_id, acknowledged)
            elif shape == "paused":
                await pause_and_resume(runtime, instance_id)
        print("steered", flush=True)  # noqa: T201 - that is how the test knows
        await asyncio.gather(*(insist(wait(instance_id)) for instance_id, _ in instances))
        print("done", flush=True)  # noqa: T201
    os.close(acknowledged)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
