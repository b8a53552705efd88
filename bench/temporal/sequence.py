"""One workflow of two thousand activities in sequence: how large its history gets, and how slow."""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial

from temporalio.client import Client
from temporalio.worker import Worker

from bench import sequence
from bench.process import run
from bench.sample import Row, interleave
from bench.temporal.native import Chain, add
from bench.temporal.server import QUEUE, open_runtime, report_and_leave, temporal
from flowyard.identifier import new_uuid

COUNT = 2000


async def measure_hosted(address: str, instance_id: str) -> None:
    """Run the sequence of the built-in engine's figure."""
    async with open_runtime(address, sequence.app) as runtime:
        await runtime.start(sequence.sequence, input=COUNT, instance_id=instance_id)
        assert (await runtime.wait(instance_id)).result(int) == COUNT


async def measure_native(address: str, instance_id: str) -> None:
    """Run the same in native code."""
    client = await Client.connect(address)
    async with Worker(client, task_queue=QUEUE, workflows=[Chain], activities=[add]):
        result = await client.execute_workflow(Chain.run, COUNT, id=instance_id, task_queue=QUEUE)
        assert result == COUNT


async def measure(kind: str, address: str) -> dict[str, float]:
    """Return the seconds, and the size of the history."""
    instance_id = str(new_uuid())
    began, computed = time.perf_counter(), time.process_time()
    await {"hosted": measure_hosted, "native": measure_native}[kind](address, instance_id)
    seconds, computed = time.perf_counter() - began, time.process_time() - computed
    client = await Client.connect(address)
    description = await client.get_workflow_handle(instance_id).describe()
    info = description.raw_description.workflow_execution_info
    return {
        "seconds": seconds,
        "cpu": computed,
        "events": info.history_length,
        "kilobytes": info.history_size_bytes / 1000,
    }


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with native code."""
    with temporal() as address:
        samples = interleave(
            rounds,
            {
                kind: partial(run, "temporal.sequence", kind, address)
                for kind in ("hosted", "native")
            },
        )
    hosted, native = samples["hosted"], samples["native"]
    return [
        Row(
            f"Temporal: {COUNT:,} activities in sequence: {what}",
            f"{hosted[key]} {unit}",
            f"native code: {native[key]} {unit}",
            hosted[key].over(native[key]),
        )
        for key, what, unit in (
            ("seconds", "time", "s"),
            ("cpu", "processor time of the worker", "s"),
            ("events", "history", "events"),
            ("kilobytes", "history", "kB"),
        )
    ]


def main() -> None:
    """Take one measurement: `sequence.py hosted|native ADDRESS`."""
    report_and_leave(asyncio.run(measure(sys.argv[1], sys.argv[2])))


if __name__ == "__main__":
    main()
