"""A hundred thousand instances that wait for 2030: what do they cost a process that starts?"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from bench.backend import open_runtime, scratch
from bench.chain import add, chain
from bench.process import report, resident_bytes, run
from bench.sample import Row, interleave
from flowyard import App, Runtime, WorkflowContext

COUNT = 100_000
_AT_ONCE = 1000

app = App()
app.activity(add)
app.workflow(chain)


@app.workflow
async def sleeper(ctx: WorkflowContext) -> None:
    """Wait for 2030."""
    await ctx.create_timer(datetime(2030, 1, 1))


async def fill(file: Path, count: int) -> None:
    """Start so many sleepers, and see each of them asleep."""
    async with open_runtime(file, app) as runtime:
        for first in range(0, count, _AT_ONCE):
            await asyncio.gather(
                *(_start_sleeper(runtime, number) for number in range(first, first + _AT_ONCE))
            )


async def _start_sleeper(runtime: Runtime, number: int) -> None:
    await runtime.start(sleeper, instance_id=f"sleeper-{number}")


async def measure(file: Path) -> dict[str, float]:
    """Open the file and run one workflow to its end."""
    began = time.perf_counter()
    async with open_runtime(file, app) as runtime:
        state = await runtime.wait(await runtime.start(chain, input=0))
        assert state.result(int) == 3
        seconds = time.perf_counter() - began
        return {"milliseconds": seconds * 1000, "megabytes": resident_bytes() / 1e6}


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with a file that has no instances."""
    with scratch() as folder:
        counts = {"full": COUNT, "empty": 0}
        for name, count in counts.items():
            run("dormant", "fill", folder / name, count)
        samples = interleave(
            rounds,
            {name: partial(run, "dormant", "open", folder / name) for name in counts},
        )
    full, empty = samples["full"], samples["empty"]
    figure = f"{COUNT:,} dormant instances"
    return [
        Row(
            f"{figure}: {what}",
            f"{full[key]} {unit}",
            f"empty file: {empty[key]} {unit}",
            full[key].over(empty[key]),
            "at most 1.5",
        )
        for what, key, unit in (
            ("open, and run one workflow", "milliseconds", "ms"),
            ("resident memory", "megabytes", "MB"),
        )
    ]


def main() -> None:
    """Fill a file, or measure with it: `dormant.py fill FILE COUNT`, `dormant.py open FILE`."""
    file = Path(sys.argv[2])
    if sys.argv[1] == "fill":
        asyncio.run(fill(file, int(sys.argv[3])))
        report({})
    else:
        report(asyncio.run(measure(file)))


if __name__ == "__main__":
    main()
