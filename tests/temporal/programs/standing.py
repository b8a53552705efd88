"""Runs errands that stand still, each in another place, until the program is killed.

Arguments: the server's address, the task queue, a folder. Says "standing" when all of them do.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

from flowyard import (
    ActivityContext,
    App,
    InstanceAlreadyExists,
    ReusePolicy,
    Runtime,
    WorkflowContext,
)
from flowyard.config import ComponentSpec

PLACES = ("activity", "between", "turn")
"""Where errands stand; their instances are called so. The last one lets no other take a turn."""


def make_app(folder: Path) -> App:
    """Return an app whose code waits in its place until `open-PLACE` is there."""
    app = App()

    def token_of(ctx: ActivityContext) -> str:
        token = uuid.uuid4().hex
        with (folder / "log").open("a") as log:
            log.write(f"{ctx.workflow_id} {token}\n")
        return token

    @app.activity
    async def step(ctx: ActivityContext) -> str:
        # The call that starts it has returned: the test may take the server away soon.
        while not (folder / f"started-{ctx.workflow_id}").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return token_of(ctx)

    @app.activity
    async def stand(ctx: ActivityContext, place: str) -> str:
        token = token_of(ctx)
        (folder / f"at-{place}").touch()
        while not (folder / f"open-{place}").exists():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)
        return token

    @app.workflow
    async def errand(ctx: WorkflowContext, place: str) -> list[str]:
        """Return a token from before, one from the place, one from after it, and an event."""
        tokens = [await ctx.call_activity(step)]
        if place == "activity":
            tokens.append(await ctx.call_activity(stand, input=place))
        elif place == "turn":
            print("standing", flush=True)  # noqa: T201 - that is how the test knows
            while not (folder / f"open-{place}").exists():
                time.sleep(0.01)  # noqa: ASYNC251 - workflow code is run alone
            tokens.append(await ctx.call_activity(step))
        else:
            ctx.set_custom_status("between")
            tokens.append(await ctx.wait_for_external_event("go", data_type=str))
        tokens.append(await ctx.call_activity(step))
        tokens.append(await ctx.wait_for_external_event("end", data_type=str))
        return tokens

    return app


def spec_of(address: str, queue: str) -> ComponentSpec:
    """Return a component whose activities are soon given to another worker."""
    metadata = {"hostPort": address, "taskQueue": queue, "heartbeatTimeout": "1"}
    return ComponentSpec(name="orders", type="workflow.temporal", metadata=metadata)


async def stand(runtime: Runtime, place: str, folder: Path) -> None:
    """Start an errand, unless an earlier life has, and wait until it stands."""
    with suppress(InstanceAlreadyExists):
        await runtime.start("errand", place, instance_id=place, reuse=ReusePolicy.REJECT)
    (folder / f"started-{place}").touch()
    if place == "activity":
        while not (folder / "at-activity").exists():  # noqa: ASYNC110 - as it is outside
            await asyncio.sleep(0.01)
    elif place == "between":
        while (await runtime.get(place)).custom_status != place:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def main(address: str, queue: str, folder: Path) -> None:
    async with Runtime.open([spec_of(address, queue)], make_app(folder)) as runtime:
        for place in PLACES:
            await stand(runtime, place, folder)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
