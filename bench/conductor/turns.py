"""The cost of a turn of a long instance on Conductor."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from bench.chain import add
from bench.conductor.server import conductor, open_runtime
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard import App, WorkflowContext

_TURNS = 500
_EACH = _TURNS // 10

app = App()
app.activity(add)


@app.workflow
async def turns(ctx: WorkflowContext, count: int) -> list[float]:
    """Take turns, and return the time of each tenth."""
    times = []
    for number in range(count):
        if number % _EACH == 0:
            times.append(ctx.current_utc_datetime.timestamp())
        await ctx.call_activity(add, input=number)
    return [*times, ctx.current_utc_datetime.timestamp()]


async def measure(url: str) -> dict[str, float]:
    """Measure how long the early and the last turns take, in milliseconds."""
    async with open_runtime(url, app) as runtime:
        state = await runtime.wait(await runtime.start(turns, input=_TURNS))
        times = state.result(list[float])
    # The first tenth warms up.
    return {
        "early": (times[3] - times[1]) * 1000 / (2 * _EACH),
        "last": (times[-1] - times[-3]) * 1000 / (2 * _EACH),
    }


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare the last turns with early ones."""
    with conductor() as url:
        run("conductor.turns", url)
        taken = interleave(rounds, {"turns": partial(run, "conductor.turns", url)})["turns"]
    return [
        Row(
            f"Conductor: an instance of {_TURNS} turns, each",
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
