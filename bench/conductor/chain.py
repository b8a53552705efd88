"""A chain of three activities and a fan-out on Conductor: hosted, and as native definitions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from bench.chain import add, chain, rate
from bench.conductor.server import conductor, open_runtime
from bench.fanout import fan_out
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard import App

_WIDTH, _FANS = 100, 5
_COUNT, _AT_ONCE = 100, 50
_WARM_UPS = 3

app = App()
app.activity(add)
app.workflow(chain)
app.workflow(fan_out)


@contextmanager
def native_workers(url: str, program: str = "native") -> Iterator[subprocess.Popen[str]]:
    """Run the workers of native definitions."""
    command = [sys.executable, str(Path(__file__).parent / f"{program}.py"), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as workers:
        try:
            assert workers.stdout is not None
            while "READY" not in workers.stdout.readline():
                assert workers.poll() is None
            yield workers
        finally:
            workers.kill()


async def run_native(client: httpx.AsyncClient, name: str) -> object:
    """Start a native workflow, and ask until it has completed."""
    body = {"name": name, "input": {"value": 0}}
    workflow_id = (await client.post("/workflow", json=body)).text
    delay = 0.02
    while True:
        status = (await client.get(f"/workflow/{workflow_id}?includeTasks=false")).json()["status"]
        if status != "RUNNING":
            assert status == "COMPLETED"
            return 3
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, 1.0)


async def measure_hosted(url: str) -> dict[str, float]:
    """Measure hosted workflows."""
    async with open_runtime(url, app) as runtime:

        async def one() -> object:
            return (await runtime.wait(await runtime.start(chain, input=0))).result(int)

        async def fan() -> object:
            state = await runtime.wait(await runtime.start(fan_out, input=_WIDTH))
            return state.result(int)

        return await _measure(one, fan)


async def measure_native(url: str) -> dict[str, float]:
    """Measure native workflows with conductor-python workers."""
    limits = httpx.Limits(max_connections=12)
    with native_workers(url):
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
            return await _measure(
                partial(run_native, client, "bench_chain"),
                partial(run_native, client, "bench_fan_out"),
            )


async def _measure(
    one: Callable[[], Awaitable[object]], fan: Callable[[], Awaitable[object]]
) -> dict[str, float]:
    at_once = await rate(one, _COUNT, _AT_ONCE)
    alone = await rate(one, 20, 1)
    await fan()
    began = time.perf_counter()
    for _ in range(_FANS):
        await fan()
    return {"at_once": at_once, "alone": alone, "fans": _FANS / (time.perf_counter() - began)}


MEASUREMENTS: Mapping[str, Callable[[str], Coroutine[object, object, dict[str, float]]]] = {
    "hosted": measure_hosted,
    "native": measure_native,
}


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare hosted with native workflows."""
    with conductor() as url:
        runs = {kind: partial(run, "conductor.chain", kind, url) for kind in MEASUREMENTS}
        # A server that has just started is slow for a while.
        interleave(_WARM_UPS, runs)
        samples = interleave(rounds, runs)
    hosted, native = samples["hosted"], samples["native"]
    alone = hosted["alone"].milliseconds(), native["alone"].milliseconds()
    against = "native, conductor-python workers"
    return [
        Row(
            f"Conductor: chain of three activities, {_COUNT} workflows, {_AT_ONCE} at a time",
            f"{hosted['at_once']} a second",
            f"{against}: {native['at_once']} a second",
            hosted["at_once"].over(native["at_once"]),
            "at least 0.8",
        ),
        Row(
            "Conductor: chain of three activities, alone",
            f"{alone[0]} ms",
            f"{against}: {alone[1]} ms",
            alone[0].over(alone[1]),
            "at most 1",
        ),
        Row(
            f"Conductor: fan-out of {_WIDTH} activities",
            f"{hosted['fans']} a second",
            f"{against}: {native['fans']} a second",
            hosted["fans"].over(native["fans"]),
            "at least 0.9",
        ),
    ]


def main() -> None:
    """Take one measurement: `chain.py hosted|native URL`."""
    report(asyncio.run(MEASUREMENTS[sys.argv[1]](sys.argv[2])))


if __name__ == "__main__":
    main()
