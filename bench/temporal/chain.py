"""The chain of three activities on Temporal: hosted, and in ordinary code for Temporal."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from bench.chain import app, chain, rate
from bench.process import run
from bench.sample import Row, interleave
from bench.temporal.native import Chain, add
from bench.temporal.server import QUEUE, open_runtime, report_and_leave, temporal
from flowyard.identifier import new_uuid

_COUNT, _AT_ONCE = 200, 50


async def measure_hosted(address: str) -> dict[str, float]:
    """Measure Flowyard."""
    async with open_runtime(address, app) as runtime:

        async def start() -> object:
            state = await runtime.wait(await runtime.start(chain, input=0))
            return state.result(int)

        return await _measure(start)


async def measure_native(address: str, *, sandboxed: bool) -> dict[str, float]:
    """Measure a worker with the settings that it has by itself."""
    client = await Client.connect(address)
    runner = SandboxedWorkflowRunner() if sandboxed else UnsandboxedWorkflowRunner()
    async with Worker(
        client, task_queue=QUEUE, workflows=[Chain], activities=[add], workflow_runner=runner
    ):
        return await _measure(
            lambda: client.execute_workflow(Chain.run, 3, id=str(new_uuid()), task_queue=QUEUE)
        )


async def _measure(start: Callable[[], Awaitable[object]]) -> dict[str, float]:
    # The time of the processor is the same on a busy machine, or nearly.
    began = time.process_time()
    per_second = await rate(start, _COUNT, _AT_ONCE)
    return {"per_second": per_second, "cpu": (time.process_time() - began) * 1000 / _COUNT}


MEASUREMENTS: Mapping[str, Callable[[str], Coroutine[object, object, dict[str, float]]]] = {
    "hosted": measure_hosted,
    "native": partial(measure_native, sandboxed=True),
    "unsandboxed": partial(measure_native, sandboxed=False),
}


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with native code, in its sandbox and without."""
    with temporal() as address:
        samples = interleave(
            rounds, {kind: partial(run, "temporal.chain", kind, address) for kind in MEASUREMENTS}
        )
    figure = f"Temporal: chain of three activities, {_COUNT} workflows, {_AT_ONCE} at a time"
    kinds = (("native", "native code"), ("unsandboxed", "native code without its sandbox"))
    measures = (
        ("per_second", "", "a second", "at least 0.95"),
        ("cpu", ": processor time of client and worker, each", "ms", ""),
    )
    return [
        Row(
            f"{figure}{what}",
            f"{samples['hosted'][key]} {unit}",
            f"{name}: {samples[kind][key]} {unit}",
            samples["hosted"][key].over(samples[kind][key]),
            target,
        )
        for key, what, unit, target in measures
        for kind, name in kinds
    ]


def main() -> None:
    """Take one measurement: `chain.py hosted|native|unsandboxed ADDRESS`."""
    report_and_leave(asyncio.run(MEASUREMENTS[sys.argv[1]](sys.argv[2])))


if __name__ == "__main__":
    main()
