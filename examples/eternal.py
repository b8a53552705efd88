"""A workflow that never ends: it goes on after pause and resume, and after the program ends.

    $ python examples/eternal.py
    Started cleaner-1.
    Round 1 is done.
    Round 2 is done.
    Paused: SUSPENDED.
    Resumed: RUNNING.
    Round 3 is done.
    The program ends here; the workflow goes on when it is started again.
    $ python examples/eternal.py
    Resuming cleaner-1: round … was done before the interruption.
    …
    The program ends here; the workflow goes on when it is started again.

With --stop, the workflow is terminated instead.
"""

from __future__ import annotations

import argparse
from datetime import timedelta

from demo import launch, options, reached, resume_or_start
from flowyard import ActivityContext, App, InstanceQuery, Runtime, WorkflowContext
from outside_world import OutsideWorld, say

INTERVAL = timedelta(seconds=1)

app = App()
world = OutsideWorld("eternal-world.db")


@app.activity
def clean_up(ctx: ActivityContext, number: int) -> None:
    """Do what has to be done again and again."""
    world.work(ctx, "clean_up", str(number))


@app.workflow
async def keep_clean(ctx: WorkflowContext, number: int) -> None:
    """Clean up, wait, and begin again as a new execution with an empty history."""
    await ctx.call_activity(clean_up, input=number)
    ctx.set_custom_status(f"round {number} was done")
    await ctx.create_timer(INTERVAL)
    ctx.continue_as_new(number + 1)


async def rounds_done(runtime: Runtime) -> int:
    """Return the number of the last finished round that a run before this one has left."""
    page = await runtime.list(InstanceQuery(workflow="keep_clean", instance_id_prefix="cleaner-"))
    for known in page.instances:
        if not known.status.is_closed:
            status = (await runtime.get(known.instance_id)).custom_status
            return int(status.split()[1]) if status else 0
    return 0


async def show_round(runtime: Runtime, instance_id: str, number: int) -> None:
    """Wait for a round, or one after it, and say so."""
    done = {f"round {later} was done" for later in range(number, number + 1000)}
    await reached(runtime, instance_id, lambda state: state.custom_status in done)
    say(f"Round {number} is done.")


async def run(arguments: argparse.Namespace) -> None:
    """Watch three rounds, with a pause in between."""
    async with Runtime.open(arguments.components, app) as runtime:
        # Before it starts: the first round may be done before the program looks.
        first = await rounds_done(runtime) + 1
        instance_id = await resume_or_start(runtime, keep_clean, "cleaner", 1)
        if arguments.stop:
            await runtime.terminate(instance_id)
            say(f"Stopped: {(await runtime.get(instance_id)).status}.")
            return
        # A run that was killed between pause and resume has left it paused.
        await runtime.resume(instance_id)
        await show_round(runtime, instance_id, first)
        await show_round(runtime, instance_id, first + 1)
        await runtime.pause(instance_id)
        say(f"Paused: {(await runtime.get(instance_id)).status}.")
        await runtime.resume(instance_id)
        say(f"Resumed: {(await runtime.get(instance_id)).status}.")
        await show_round(runtime, instance_id, first + 2)
    say("The program ends here; the workflow goes on when it is started again.")


def main() -> None:
    """Run the example."""
    parser = options("Run a workflow that never ends.", pace=0)
    parser.add_argument("--stop", action="store_true", help="terminate the workflow")
    arguments = parser.parse_args()
    world.pace = arguments.pace
    launch(run(arguments))


if __name__ == "__main__":
    main()
