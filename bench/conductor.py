"""Workflows on a Conductor server: hosted ones against native ones with conductor-python workers.

Not measured unless asked for: `FLOWYARD_CONDUCTOR_URL=http://host:port` names a running server.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx

from bench.chain import add, chain, rate
from bench.fanout import fan_out
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard import App, Runtime, WorkflowContext
from flowyard.config import ComponentSpec

WIDTH = 100
TURNS = 500
_NATIVE = Path(__file__).parent / "programs" / "conductor_native.py"

app = App()
app.activity(add)
app.workflow(chain)
app.workflow(fan_out)


@app.workflow
async def turns(ctx: WorkflowContext, count: int) -> list[float]:
    """Take turns, and return the time of each tenth."""
    times = []
    for number in range(count):
        if number % (count // 10) == 0:
            times.append(ctx.current_utc_datetime.timestamp())
        await ctx.call_activity(add, input=number)
    return [*times, ctx.current_utc_datetime.timestamp()]


def url() -> str:
    """Return the URL of the API."""
    address = os.environ.get("FLOWYARD_CONDUCTOR_URL")
    if not address:
        raise SystemExit("name a running Conductor server: FLOWYARD_CONDUCTOR_URL=http://host:port")
    return f"{address}/api"


@asynccontextmanager
async def hosting() -> AsyncIterator[Runtime]:
    """Open a runtime that hosts the app."""
    metadata = {"url": url(), "taskQueue": f"bench.{uuid4().hex[:8]}"}
    async with Runtime.open(
        [ComponentSpec("bench", "workflow.conductor", metadata=metadata)], app
    ) as runtime:
        yield runtime


@contextmanager
def native_workers() -> Iterator[None]:
    """Run the workers of the native definitions."""
    with subprocess.Popen(
        [sys.executable, str(_NATIVE), url()], stdout=subprocess.PIPE, text=True
    ) as workers:
        try:
            assert workers.stdout is not None
            while "READY" not in workers.stdout.readline():
                assert workers.poll() is None
            yield
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


async def measure_hosted() -> dict[str, float]:
    """Measure hosted workflows."""
    async with hosting() as runtime:

        async def one() -> object:
            return (await runtime.wait(await runtime.start(chain, input=0))).result(int)

        async def fan() -> object:
            state = await runtime.wait(await runtime.start(fan_out, input=WIDTH))
            return state.result(int)

        return await measure(one, fan)


async def measure_native() -> dict[str, float]:
    """Measure native workflows with conductor-python workers."""
    limits = httpx.Limits(max_connections=12)
    with native_workers():
        async with httpx.AsyncClient(base_url=url(), timeout=60, limits=limits) as client:
            return await measure(
                partial(run_native, client, "bench_chain"),
                partial(run_native, client, "bench_fan_out"),
            )


async def measure(
    one: Callable[[], Awaitable[object]], fan: Callable[[], Awaitable[object]]
) -> dict[str, float]:
    """Measure chains at 50 and alone, and a fan-out."""
    at_once = await rate(one, 100, 50)
    alone = await rate(one, 20, 1)
    await fan()
    began = time.perf_counter()
    for _ in range(3):
        await fan()
    return {"at_once": at_once, "alone": alone, "fans": 3 / (time.perf_counter() - began)}


async def measure_calls() -> dict[str, float]:
    """Measure start and get through the component, and the REST calls that they need."""
    count = 50
    async with hosting() as runtime, httpx.AsyncClient(base_url=url(), timeout=60) as client:
        state = await runtime.wait(await runtime.start(chain, input=0))
        search: dict[str, str | int] = {
            "query": f"correlationId='{state.instance_id}'",
            "size": 100,
        }
        found = (await client.get("/workflow/search", params=search)).json()["results"][0]
        path = f"/workflow/{found['workflowId']}?includeTasks=false"

        async def ours() -> None:
            await runtime.get(state.instance_id)

        async def raw() -> None:
            await client.get("/workflow/search", params=search)
            await client.get(path)

        measured = {}
        for name, call in (("ours", ours), ("raw", raw)):
            await call()
            began = time.perf_counter()
            for _ in range(count):
                await call()
            measured[name] = count / (time.perf_counter() - began)
        return measured


async def measure_turns() -> dict[str, float]:
    """Measure how long the first and the last turns of a long instance take."""
    async with hosting() as runtime:
        state = await runtime.wait(await runtime.start(turns, input=TURNS))
        times = state.result(list[float])
    each = TURNS // 10
    # The first tenth of all warms up.
    return {
        "first": each * 2 / (times[3] - times[1]),
        "last": each * 2 / (times[-1] - times[-3]),
    }


MEASUREMENTS: Mapping[str, Callable[[], Coroutine[object, object, dict[str, float]]]] = {
    "hosted": measure_hosted,
    "native": measure_native,
    "calls": measure_calls,
    "turns": measure_turns,
}


def rows(rounds: int, dbos: str | None) -> list[Row]:
    """Compare hosted with native workflows, and the component with the calls that it makes."""
    samples = interleave(rounds, {name: partial(run, "conductor", name) for name in MEASUREMENTS})
    hosted, native = samples["hosted"], samples["native"]
    calls, many = samples["calls"], samples["turns"]
    alone = hosted["alone"].milliseconds(), native["alone"].milliseconds()
    against = "native, conductor-python workers"
    return [
        Row(
            "Conductor: 100 chains of three, 50 at a time",
            f"{hosted['at_once']} a second",
            f"{against}: {native['at_once']} a second",
            hosted["at_once"].over(native["at_once"]),
            "at least 0.8",
        ),
        Row(
            "Conductor: a chain of three, alone",
            f"{alone[0]} ms",
            f"{against}: {alone[1]} ms",
            alone[0].over(alone[1]),
            "at most 1",
        ),
        Row(
            f"Conductor: fan-out of {WIDTH}",
            f"{hosted['fans']} a second",
            f"{against}: {native['fans']} a second",
            hosted["fans"].over(native["fans"]),
            "at least 0.9",
        ),
        Row(
            "Conductor: `get`",
            f"{calls['ours'].milliseconds()} ms",
            f"the two REST calls that it needs: {calls['raw'].milliseconds()} ms",
            calls["raw"].over(calls["ours"]),
            "at most 1.1",
        ),
        Row(
            f"Conductor: turns of an instance of {TURNS}",
            f"the last fifth: {many['last'].milliseconds()} ms a turn",
            f"the second and third tenth: {many['first'].milliseconds()} ms",
            many["first"].over(many["last"]),
            "flat",
        ),
    ]


def main() -> None:
    """Take one measurement: `conductor.py hosted|native|calls|turns`."""
    report(asyncio.run(MEASUREMENTS[sys.argv[1]]()))


if __name__ == "__main__":
    main()
