"""Watch a job for ever: rarely while it is healthy, often while it is not, one alert per outage.

    $ python examples/monitor.py
      check_job: job-7 is healthy
      check_job: job-7 is not healthy
      send_alert: job-7 is not healthy
      check_job: job-7 is not healthy
      check_job: job-7 is healthy
    The monitor would go on for ever; it is terminated: TERMINATED.

Each round is a new execution (continue_as_new), so the history never grows.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from demo import launch, options, reached
from flowyard import ActivityContext, App, Runtime, WorkflowContext
from outside_world import OutsideWorld, say

ROUNDS = (True, False, False, True)

app = App()
world = OutsideWorld("monitor-world.db")


@dataclass(frozen=True)
class Monitor:
    """What to watch, how it was when last seen, and how often to look."""

    job: str
    was_healthy: bool = True
    rounds: int = 0
    healthy_interval: timedelta = timedelta(minutes=60)
    unhealthy_interval: timedelta = timedelta(minutes=5)


@app.activity
def check_job(ctx: ActivityContext, job: str) -> bool:
    """Look how the job is: the outside world holds what is seen next."""
    seen = world.change_once(ctx, "outlook", [True], lambda outlook: outlook[1:] or outlook)
    healthy = bool(seen[0])
    world.step(ctx, "check_job", f"{job} is {'healthy' if healthy else 'not healthy'}")
    return healthy


@app.activity
def send_alert(ctx: ActivityContext, job: str) -> None:
    """Wake somebody up."""
    world.step(ctx, "send_alert", f"{job} is not healthy")


@app.workflow
async def watch(ctx: WorkflowContext, monitor: Monitor) -> None:
    """Check once, alert if the job has just become unhealthy, wait, and begin again."""
    healthy = await ctx.call_activity(check_job, input=monitor.job)
    if monitor.was_healthy and not healthy:
        await ctx.call_activity(send_alert, input=monitor.job)
    ctx.set_custom_status(f"round {monitor.rounds + 1}")
    await ctx.create_timer(monitor.healthy_interval if healthy else monitor.unhealthy_interval)
    ctx.continue_as_new(
        Monitor(
            monitor.job,
            was_healthy=healthy,
            rounds=monitor.rounds + 1,
            healthy_interval=monitor.healthy_interval,
            unhealthy_interval=monitor.unhealthy_interval,
        )
    )


async def run(arguments: argparse.Namespace) -> None:
    """Let the monitor see an outage, with seconds in the place of minutes."""
    # The first entry is dropped by the first look.
    world.put("outlook", [True, *ROUNDS])
    async with Runtime.open(arguments.components, app) as runtime:
        monitor = Monitor(
            "job-7",
            healthy_interval=timedelta(seconds=0.6),
            unhealthy_interval=timedelta(seconds=0.05),
        )
        instance_id = await runtime.start(watch, input=monitor, instance_id=f"monitor-{uuid4()}")
        last = f"round {len(ROUNDS)}"
        await reached(runtime, instance_id, lambda state: state.custom_status == last)
        await runtime.terminate(instance_id)
        state = await runtime.wait(instance_id)
        say(f"The monitor would go on for ever; it is terminated: {state.status}.")


def main() -> None:
    """Run the example."""
    arguments = options("Watch a job for ever.", pace=0.2).parse_args()
    world.pace = arguments.pace
    launch(run(arguments))


if __name__ == "__main__":
    main()
