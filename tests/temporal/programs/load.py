"""One life of the process that is killed again and again: all shapes, until the last is done.

Arguments: the server's address, the task queue, how many of each shape, the log of what was
acknowledged. Says "steered" when it has raised its events, and paused and resumed, and "done" at
the end.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from engine.programs.shapes import SHAPES, app, instances_of
from flowyard import (
    BackendUnavailable,
    InstanceAlreadyExists,
    ReusePolicy,
    Runtime,
    WorkflowState,
)
from temporal.programs.standing import spec_of


async def insist(call: Callable[[], Awaitable[object]]) -> None:
    """Repeat a call until the server, which is killed too, has answered it."""
    while True:
        with suppress(BackendUnavailable):
            await call()
            return


async def start(runtime: Runtime, instance_id: str, shape: str) -> None:
    """Start what an earlier life, or a call without an answer, has not."""
    workflow, value = SHAPES[shape]

    async def call() -> None:
        with suppress(InstanceAlreadyExists):
            await runtime.start(
                workflow, input=value, instance_id=instance_id, reuse=ReusePolicy.REJECT
            )

    await insist(call)


async def raise_item(runtime: Runtime, instance_id: str, acknowledged: int) -> None:
    """Raise an item, and note it the moment it is acknowledged."""
    item = uuid.uuid4().hex
    with suppress(BackendUnavailable):
        if await runtime.raise_event(instance_id, "item", item):
            os.write(acknowledged, f"{instance_id} {item}\n".encode())


async def pause_and_resume(runtime: Runtime, instance_id: str) -> None:
    await insist(lambda: runtime.pause(instance_id))
    await insist(lambda: runtime.resume(instance_id))


async def main(address: str, queue: str, each: int, log: Path) -> None:
    acknowledged = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    instances = instances_of(each)

    def wait(instance_id: str) -> Callable[[], Awaitable[WorkflowState]]:
        return lambda: runtime.wait(instance_id)

    async with Runtime.open([spec_of(address, queue)], app) as runtime:
        await asyncio.gather(*(start(runtime, *instance) for instance in instances))
        for instance_id, shape in instances:
            if shape.startswith("collecting"):
                await raise_item(runtime, instance_id, acknowledged)
            elif shape == "paused":
                await pause_and_resume(runtime, instance_id)
        print("steered", flush=True)  # noqa: T201 - that is how the test knows
        await asyncio.gather(*(insist(wait(instance_id)) for instance_id, _ in instances))
        print("done", flush=True)  # noqa: T201 - that is how the test knows
    os.close(acknowledged)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
