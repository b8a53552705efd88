"""How long work stands still after SIGKILL of the process that does it, on Conductor.

Another process is started at once. What is measured is the time from the kill to the end of an
instance, without the work that it has left.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import httpx

from bench.conductor.server import conductor, new_queue, open_runtime
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard.errors import WorkflowNotRegistered

LEASE_SECONDS = 10.0
_PATIENCE = 60
_SHAPES = {
    "steps": "one activity after the other",
    "fan": "20 activities side by side",
    "event": "an event is waited for",
    "child": "a child has an activity",
}
# How long an activity of each takes: two are still in their first when `steps` is in its second.
SECONDS = {"steps": 1.0, "fan": 3.0, "event": 1.0, "child": 3.0}
# How many activities, one after the other, each has left then.
_LEFT = {"steps": 2, "fan": 1, "event": 1, "child": 3}
# By then each is in the middle of what it does.
_UNDER_WAY = {"steps 1", "fan 19", "child 0"}

Start: TypeAlias = Callable[[str], Awaitable[str]]


@contextmanager
def _workers(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            _read_until(process, {"READY"})
            yield process
        finally:
            process.kill()


def _read_until(process: subprocess.Popen[str], lines: set[str]) -> None:
    assert process.stdout is not None
    missing = set(lines)
    while missing:
        line = process.stdout.readline()
        assert line, "it ended"
        missing.discard(line.strip())


async def _measure(command: list[str], start: Start, go: Start, wait: Start) -> dict[str, float]:
    """Start an instance of each shape, kill its process, and wait for each with another."""
    taken: dict[str, float] = {}

    async def end(shape: str, instance_id: str, began: float) -> None:
        assert await wait(instance_id) == "COMPLETED"
        taken[shape] = time.perf_counter() - began - _LEFT[shape] * SECONDS[shape]

    with _workers(*command) as first:
        instances = {shape: await start(shape) for shape in _SHAPES}
        await asyncio.to_thread(_read_until, first, _UNDER_WAY)
        first.kill()
        began = time.perf_counter()
    with _workers(*command):
        await go(instances["event"])
        await asyncio.gather(*(end(*instance, began) for instance in instances.items()))
    return taken


async def measure_hosted(url: str) -> dict[str, float]:
    """Measure hosted workflows."""
    queue = new_queue()
    async with open_runtime(url, None, queue) as runtime:

        async def start(shape: str) -> str:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    try:
                        return await runtime.start(shape, input=shape)
                    except WorkflowNotRegistered:
                        # The server tells a moment later that somebody polls.
                        await asyncio.sleep(0.1)

        async def go(instance_id: str) -> str:
            await runtime.raise_event(instance_id, "go")
            return instance_id

        async def wait(instance_id: str) -> str:
            return (await runtime.wait(instance_id)).status.value

        return await _measure(["-m", "bench.conductor.living", url, queue], start, go, wait)


async def measure_native(url: str) -> dict[str, float]:
    """Measure native workflows with conductor-python workers."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def start(shape: str) -> str:
            body = {"name": f"bench_{shape}", "input": {"name": shape}}
            return (await client.post("/workflow", json=body)).raise_for_status().text

        async def go(workflow_id: str) -> str:
            path = f"/tasks/{workflow_id}/go/COMPLETED"
            return (await client.post(path, json={})).raise_for_status().text

        async def wait(workflow_id: str) -> str:
            while True:
                path = f"/workflow/{workflow_id}?includeTasks=false"
                status: str = (await client.get(path)).raise_for_status().json()["status"]
                if status != "RUNNING":
                    return status
                await asyncio.sleep(0.1)

        return await _measure(["-m", "bench.conductor.native_living", url], start, go, wait)


MEASUREMENTS = {"hosted": measure_hosted, "native": measure_native}


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with the lease, and with native workflows."""
    with conductor() as url:
        samples = interleave(
            rounds, {kind: partial(run, "conductor.recovery", kind, url) for kind in MEASUREMENTS}
        )
    hosted, native = samples["hosted"], samples["native"]
    return [
        Row(
            f"Conductor: standstill after SIGKILL, {what}",
            f"{hosted[shape]} s; {hosted[shape].divided(LEASE_SECONDS)} of the lease",
            f"native, conductor-python workers, the same lease: {native[shape]} s",
            hosted[shape].over(native[shape]),
            "at most 1.5 of the lease",
        )
        for shape, what in _SHAPES.items()
    ]


def main() -> None:
    """Take one measurement: `recovery.py hosted|native URL`."""
    report(asyncio.run(MEASUREMENTS[sys.argv[1]](sys.argv[2])))


if __name__ == "__main__":
    main()
