"""Starts the same instances as others do at the same moment.

Arguments: the URL of the API, the task queue, the workflow, how the IDs begin, how many there are.
Says "ready", waits for a line, and says "won ID" for each instance that it has started.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from conductor.programs.load import spec_of
from flowyard import App, InstanceAlreadyExists, Runtime, WorkflowContext

app = App()


@app.workflow
async def waiting(ctx: WorkflowContext) -> object:
    return await ctx.wait_for_external_event("go")


async def main(url: str, queue: str, workflow: str, prefix: str, count: int) -> None:
    async with Runtime.open([spec_of(url, queue)], app) as runtime:
        print("ready", flush=True)  # noqa: T201 - that is how the test knows
        await asyncio.to_thread(sys.stdin.readline)
        for number in range(count):
            with suppress(InstanceAlreadyExists):
                won = await runtime.start(workflow, instance_id=f"{prefix}-{number}")
                print("won", won, flush=True)  # noqa: T201
        print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    url, queue, workflow, prefix, count = sys.argv[1:]
    asyncio.run(main(url, queue, workflow, prefix, int(count)))
