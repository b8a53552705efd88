"""A chain of three activities that do nothing: Flowyard, the bound and DBOS Transact."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from bench import bound
from bench.backend import open_runtime, scratch
from bench.process import report, run, run_program
from bench.sample import Row, Sample, interleave
from flowyard import ActivityContext, App, WorkflowContext

app = App()


@app.activity
async def add(_: ActivityContext, value: int) -> int:
    """Return the next number."""
    return value + 1


@app.workflow
async def chain(ctx: WorkflowContext, value: int) -> int:
    """Add three times."""
    for _ in range(3):
        value = await ctx.call_activity(add, input=value)
    return value


async def bound_add(value: object) -> object:
    """Do what `add` does."""
    assert isinstance(value, int)
    return value + 1


async def bound_chain(calls: bound.Calls, value: object) -> object:
    """Do what `chain` does."""
    for _ in range(3):
        value = await calls.call_activity("add", value)
    return value


async def rate(start: Callable[[], Awaitable[object]], count: int, at_once: int) -> float:
    """Return how many of `count` finish per second, `at_once` at a time."""
    slots = asyncio.Semaphore(at_once)

    async def one() -> object:
        async with slots:
            return await start()

    await one()
    began = time.perf_counter()
    results = await asyncio.gather(*(one() for _ in range(count)))
    seconds = time.perf_counter() - began
    assert results == [3] * count
    return count / seconds


async def measure_flowyard(file: Path, count: int, at_once: int) -> float:
    """Measure the built-in engine."""
    async with open_runtime(file, app) as runtime:

        async def start() -> object:
            state = await runtime.wait(await runtime.start(chain, input=0))
            return state.result(int)

        return await rate(start, count, at_once)


async def measure_bound(file: Path, count: int, at_once: int) -> float:
    """Measure the bound."""
    engine = bound.Engine(file, {"chain": bound_chain}, {"add": bound_add})
    return await rate(lambda: engine.start("chain", 0), count, at_once)


def rows(rounds: int, dbos: str | None) -> list[Row]:
    """Compare at 1, 50 and 500 at a time."""
    found = []
    for at_once, count in ((1, 500), (50, 5000), (500, 5000)):
        measurements: dict[str, Callable[[], Mapping[str, float]]] = {
            kind: partial(run, "chain", kind, count, at_once) for kind in ("flowyard", "bound")
        }
        if dbos and at_once == 50:
            measurements["dbos"] = partial(_run_dbos, dbos)
        samples = {
            name: numbers["per_second"]
            for name, numbers in interleave(rounds, measurements).items()
        }
        found += _compare(samples, at_once)
    return found


def _run_dbos(python: str) -> dict[str, float]:
    with scratch() as folder:
        program = str(Path(__file__).parent / "dbos_chain.py")
        return run_program([python, program, str(folder), "200", "50"])


def _compare(samples: dict[str, Sample], at_once: int) -> list[Row]:
    figure = f"chain of three activities, {at_once} at a time"
    measured = f"{samples['flowyard']} a second"
    against = f"bound: {samples['bound']} a second"
    if at_once == 1:
        own, bare = samples["flowyard"].milliseconds(), samples["bound"].milliseconds()
        measured, against = f"{own} ms", f"bound: {bare} ms"
        return [Row(f"{figure}: latency", measured, against, own.over(bare), "at most 1.3")]
    share = samples["flowyard"].over(samples["bound"])
    found = [Row(figure, measured, against, share, "at least 0.7")]
    if "dbos" in samples:
        times = samples["flowyard"].over(samples["dbos"])
        against = f"DBOS Transact: {samples['dbos']} a second"
        found.append(Row(figure, measured, against, times, "at least 40"))
    return found


def main() -> None:
    """Take one measurement: `chain.py flowyard|bound COUNT AT_ONCE`."""
    measure = {"flowyard": measure_flowyard, "bound": measure_bound}[sys.argv[1]]
    with scratch() as folder:
        per_second = asyncio.run(measure(folder / "chain.db", int(sys.argv[2]), int(sys.argv[3])))
    report({"per_second": per_second})


if __name__ == "__main__":
    main()
