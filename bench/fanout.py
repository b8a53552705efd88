"""One workflow that runs a thousand activities side by side."""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial
from pathlib import Path

from bench import bound
from bench.backend import open_runtime, scratch
from bench.chain import add, bound_add
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard import App, WorkflowContext, when_all

COUNT = 1000
_EXPECTED = COUNT * (COUNT + 1) // 2

app = App()
app.activity(add)


@app.workflow
async def fan_out(ctx: WorkflowContext, count: int) -> int:
    """Sum what all the activities return."""
    return sum(await when_all([ctx.call_activity(add, input=number) for number in range(count)]))


async def bound_fan_out(calls: bound.Calls, count: object) -> object:
    """Do what `fan_out` does."""
    assert isinstance(count, int)
    steps = [calls.call_activity("add", number) for number in range(count)]
    total = 0
    for step in steps:
        number = await step
        assert isinstance(number, int)
        total += number
    return total


async def measure_flowyard(file: Path) -> float:
    """Measure the built-in engine; return seconds."""
    async with open_runtime(file, app) as runtime:
        began = time.perf_counter()
        state = await runtime.wait(await runtime.start(fan_out, input=COUNT))
        assert state.result(int) == _EXPECTED
        return time.perf_counter() - began


async def measure_bound(file: Path) -> float:
    """Measure the bound; return seconds."""
    engine = bound.Engine(file, {"fan_out": bound_fan_out}, {"add": bound_add})
    began = time.perf_counter()
    assert await engine.start("fan_out", COUNT) == _EXPECTED
    return time.perf_counter() - began


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with the bound."""
    samples = interleave(
        rounds,
        {kind: partial(run, "fanout", kind) for kind in ("flowyard", "bound")},
    )
    flowyard, bare = (samples[kind]["milliseconds"] for kind in ("flowyard", "bound"))
    return [
        Row(
            f"fan-out of {COUNT:,} activities",
            f"{flowyard} ms",
            f"bound: {bare} ms",
            flowyard.over(bare),
        )
    ]


def main() -> None:
    """Take one measurement: `fanout.py flowyard|bound`."""
    measure = {"flowyard": measure_flowyard, "bound": measure_bound}[sys.argv[1]]
    with scratch() as folder:
        report({"milliseconds": asyncio.run(measure(folder / "fanout.db")) * 1000})


if __name__ == "__main__":
    main()
