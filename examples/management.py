"""Everything that can be done to an instance, on a workflow that counts.

    $ python examples/management.py
    Start hello.
      count: the counter is 1
      count: the counter is 11
    After the pause it is SUSPENDED.
    After the resumption it is RUNNING.
    Raise the event.
      count: the counter is 111
      count: the counter is 1111
    It is COMPLETED with 1111.
    After the purge: no such instance exists: 'hello'. …
    Start hello again.
      count: the counter is 1112
      count: the counter is 1122
    After the termination it is TERMINATED.
    After the second purge: no such instance exists: 'hello'. …

The workflow is a generator, as it was written for Dapr's SDK, and runs unchanged.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator
from contextlib import suppress
from typing import Any

from demo import launch, options, reached
from flowyard import ActivityContext, App, InstanceNotFound, Runtime, Task, WorkflowContext
from outside_world import OutsideWorld, say

app = App()
world = OutsideWorld("management-world.db")


@app.activity
def count(ctx: ActivityContext, step: int) -> int:
    """Add to the counter of the outside world."""
    counter = int(world.change_once(ctx, "counter", 0, lambda counter: counter + step))
    world.step(ctx, "count", f"the counter is {counter}")
    return counter


@app.workflow
def hello_world(ctx: WorkflowContext, greeting: str) -> Generator[Task[Any], Any, int]:
    """Count to 11, wait for an event, and count to 1111."""
    yield ctx.call_activity(count, input=1)
    yield ctx.call_activity(count, input=10)
    ctx.set_custom_status("waiting")
    yield ctx.wait_for_external_event("event1")
    yield ctx.call_activity(count, input=100)
    counter: int = yield ctx.call_activity(count, input=1000)
    return counter


async def say_that_it_is_gone(runtime: Runtime, instance_id: str, after: str) -> None:
    """Ask for an instance that does not exist any more."""
    try:
        await runtime.get(instance_id)
    except InstanceNotFound as error:
        say(f"After the {after}: {error}")


async def run(arguments: argparse.Namespace) -> None:
    """Start, pause, resume, raise, purge, start again, terminate and purge."""
    instance_id = "hello"
    world.put("counter", 0)
    async with Runtime.open(arguments.components, app) as runtime:
        with suppress(InstanceNotFound):  # what a killed run has left
            await runtime.terminate(instance_id)
            await runtime.purge(instance_id)

        say(f"Start {instance_id}.")
        await runtime.start(hello_world, input="Hi Counter!", instance_id=instance_id)
        await reached(runtime, instance_id, lambda state: state.custom_status == "waiting")

        await runtime.pause(instance_id)
        say(f"After the pause it is {(await runtime.get(instance_id)).status}.")
        await runtime.resume(instance_id)
        say(f"After the resumption it is {(await runtime.get(instance_id)).status}.")

        say("Raise the event.")
        await runtime.raise_event(instance_id, "event1")
        state = await runtime.wait(instance_id)
        say(f"It is {state.status} with {state.output}.")

        await runtime.purge(instance_id)
        await say_that_it_is_gone(runtime, instance_id, "purge")

        say(f"Start {instance_id} again.")
        await runtime.start(hello_world, input="Hi Counter!", instance_id=instance_id)
        await reached(runtime, instance_id, lambda state: state.custom_status == "waiting")
        await runtime.terminate(instance_id)
        say(f"After the termination it is {(await runtime.get(instance_id)).status}.")
        await runtime.purge(instance_id)
        await say_that_it_is_gone(runtime, instance_id, "second purge")


def main() -> None:
    """Run the example."""
    arguments = options("Do everything that can be done to an instance.", pace=0.2).parse_args()
    world.pace = arguments.pace
    launch(run(arguments))


if __name__ == "__main__":
    main()
