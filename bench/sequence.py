"""One workflow of ten thousand activities in sequence: does a step cost more as history grows?"""

from __future__ import annotations

import asyncio
import time
from functools import partial

from bench.backend import open_runtime, scratch
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard import ActivityContext, App, WorkflowContext

COUNT = 10_000
_SPAN = 1000

app = App()
reached: list[float] = []


@app.activity
async def step(_: ActivityContext, number: int) -> int:
    """Note when this step was reached."""
    reached.append(time.perf_counter())
    return number + 1


@app.workflow
async def sequence(ctx: WorkflowContext, count: int) -> int:
    """Take the steps one after the other."""
    number = 0
    while number < count:
        number = await ctx.call_activity(step, input=number)
    return number


async def measure() -> dict[str, float]:
    """Return milliseconds per step of the first and of the last thousand."""
    with scratch() as folder:
        async with open_runtime(folder / "sequence.db", app) as runtime:
            state = await runtime.wait(await runtime.start(sequence, input=COUNT))
    assert state.result(int) == len(reached) == COUNT
    return {
        "first": (reached[_SPAN] - reached[0]) * 1000 / _SPAN,
        "last": (reached[-1] - reached[-1 - _SPAN]) * 1000 / _SPAN,
    }


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare the last thousand steps with the first."""
    samples = interleave(rounds, {"flowyard": partial(run, "sequence")})["flowyard"]
    first, last = samples["first"], samples["last"]
    return [
        Row(
            f"{COUNT:,} activities in sequence: a step of the last thousand",
            f"{last} ms",
            f"of the first thousand: {first} ms",
            last.over(first),
            "at most 1.5",
        )
    ]


if __name__ == "__main__":
    report(asyncio.run(measure()))
