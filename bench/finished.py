"""Memory after many finished workflows: does a process give back what it has done with?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from functools import partial

from bench.backend import open_runtime, scratch
from bench.chain import app, chain
from bench.process import report, resident_bytes, run
from bench.sample import Row, interleave
from flowyard import WorkflowState

_FEW, _MANY = 1000, 10_000
_AT_ONCE = 100


async def measure(count: int) -> dict[str, float]:
    """Run so many chains to their end."""
    with scratch() as folder:
        async with open_runtime(folder / "finished.db", app) as runtime:

            async def finish() -> WorkflowState:
                return await runtime.wait(await runtime.start(chain, input=0))

            for _ in range(count // _AT_ONCE):
                batch: list[Awaitable[WorkflowState]] = [finish() for _ in range(_AT_ONCE)]
                for state in await asyncio.gather(*batch):
                    assert state.result(int) == 3
            return {"megabytes": resident_bytes() / 1e6}


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare many with few."""
    samples = interleave(
        rounds,
        {str(count): partial(run, "finished", count) for count in (_MANY, _FEW)},
    )
    many, few = samples[str(_MANY)]["megabytes"], samples[str(_FEW)]["megabytes"]
    return [
        Row(
            f"resident memory after {_MANY:,} finished workflows",
            f"{many} MB",
            f"after {_FEW:,}: {few} MB",
            many.over(few),
        )
    ]


if __name__ == "__main__":
    report(asyncio.run(measure(int(sys.argv[1]))))
