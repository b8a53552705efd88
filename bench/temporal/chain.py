"""The chain of three activities on Temporal: hosted, and in ordinary code for Temporal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from bench.chain import app, chain, rate
from bench.process import report, run
from bench.sample import Row, interleave
from bench.temporal.native import Chain, add
from bench.temporal.server import QUEUE, open_runtime, temporal
from flowyard.identifier import new_uuid

_COUNT, _AT_ONCE = 200, 50


async def measure_hosted(address: str) -> float:
    """Measure Flowyard."""
    async with open_runtime(address, app) as runtime:

        async def start() -> object:
            state = await runtime.wait(await runtime.start(chain, input=0))
            return state.result(int)

        return await rate(start, _COUNT, _AT_ONCE)


async def measure_native(address: str, *, sandboxed: bool) -> float:
    """Measure a worker with the settings that it has by itself."""
    client = await Client.connect(address)
    runner = SandboxedWorkflowRunner() if sandboxed else UnsandboxedWorkflowRunner()
    async with Worker(
        client, task_queue=QUEUE, workflows=[Chain], activities=[add], workflow_runner=runner
    ):
        return await rate(
            lambda: client.execute_workflow(Chain.run, 3, id=str(new_uuid()), task_queue=QUEUE),
            _COUNT,
            _AT_ONCE,
        )


MEASUREMENTS: Mapping[str, Callable[[str], Coroutine[object, object, float]]] = {
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
    hosted = samples["hosted"]["per_second"]
    return [
        Row(
            f"Temporal: chain of three activities, {_COUNT} workflows, {_AT_ONCE} at a time",
            f"{hosted} a second",
            f"{name}: {samples[kind]['per_second']} a second",
            hosted.over(samples[kind]["per_second"]),
            target,
        )
        for kind, name, target in (
            ("native", "native code", "at least 0.95"),
            ("unsandboxed", "native code without its sandbox", ""),
        )
    ]


def main() -> None:
    """Take one measurement: `chain.py hosted|native|unsandboxed ADDRESS`."""
    report({"per_second": asyncio.run(MEASUREMENTS[sys.argv[1]](sys.argv[2]))})


if __name__ == "__main__":
    main()
