"""The cost of a turn of a long instance on Conductor."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from itertools import pairwise
from statistics import median

from bench.chain import add
from bench.conductor.server import conductor, open_runtime
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard import App, WorkflowContext

_TURNS = 500

app = App()
app.activity(add)


@app.workflow
async def turns(ctx: WorkflowContext, count: int) -> list[float]:
    """Take turns, and return when each began."""
    times = []
    for number in range(count):
        times.append(ctx.current_utc_datetime.timestamp())
        await ctx.call_activity(add, input=number)
    return [*times, ctx.current_utc_datetime.timestamp()]


async def measure(url: str) -> dict[str, float]:
    """Measure how long an early and a late turn take, in milliseconds."""
    async with open_runtime(url, app) as runtime:
        state = await runtime.wait(await runtime.start(turns, input=_TURNS))
        times = state.result(list[float])
    taken = [1000 * (end - begin) for begin, end in pairwise(times)]
    # The first tenth warms up. A median leaves out what stops the server for a moment.
    tenth = _TURNS // 10
    return {"early": median(taken[tenth : 3 * tenth]), "last": median(taken[-2 * tenth :])}


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare the last turns with early ones."""
    with conductor() as url:
        run("conductor.turns", url)
        taken = interleave(rounds, {"turns": partial(run, "conductor.turns", url)})["turns"]
    return [
        Row(
            f"Conductor: an instance of {_TURNS} turns, p50 of a turn",
            f"the last fifth: {taken['last']} ms",
            f"the second and third tenth: {taken['early']} ms",
            taken["last"].over(taken["early"]),
            "flat",
        )
    ]


def main() -> None:
    """Take one measurement: `turns.py URL`."""
    report(asyncio.run(measure(sys.argv[1])))


if __name__ == "__main__":
    main()
