"""A server at rest: connected workers and waiting instances; does it take anything?"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc.aio

from bench.backend import scratch
from bench.process import report, run
from bench.sample import Row, interleave
from bench.server import Server, serving
from flowyard.wire.v1 import taskhub_pb2 as taskhub

_WORKERS, _INSTANCES = 100, 1000
_AT_ONCE = 50
# Long enough for what follows a commit to be over; and how long it is watched at rest.
_SETTLE, _REST = 3.0, 10.0


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """Connect a worker that answers each turn with no decision: its workflows wait for an event."""
    # Or channels of one process share a connection.
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        working = asyncio.create_task(_work(channel))
        try:
            yield channel
        finally:
            working.cancel()


async def _work(channel: grpc.aio.Channel) -> None:
    items: Any = channel.unary_stream(
        "/TaskHubSidecarService/GetWorkItems", _bytes, taskhub.WorkItem.FromString
    )
    async for item in items(taskhub.GetWorkItemsRequest()):
        response = taskhub.WorkflowResponse(
            instance_id=item.workflow_request.instance_id, completion_token=item.completion_token
        )
        await _ask(channel, "CompleteOrchestratorTask", response)


async def _ask(channel: grpc.aio.Channel, method: str, request: Any) -> None:
    call: Any = channel.unary_unary(f"/TaskHubSidecarService/{method}", _bytes)
    await call(request)


def _bytes(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


async def measure(server: Server, workers: int, instances: int) -> dict[str, float]:
    """Connect the workers, start the instances, and watch the server do nothing."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def start(number: int, channel: grpc.aio.Channel) -> None:
        async with slots:
            request = taskhub.CreateInstanceRequest(instance_id=f"waiter-{number}", name="waiter")
            await _ask(channel, "StartInstance", request)
            started = taskhub.GetInstanceRequest(instance_id=f"waiter-{number}")
            await _ask(channel, "WaitForInstanceStart", started)

    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(connected(server.grpc)) for _ in range(workers)]
        await asyncio.gather(
            *(start(number, channels[number % workers]) for number in range(instances))
        )
        await asyncio.sleep(_SETTLE)
        before = _processor_seconds(server.pid)
        await asyncio.sleep(_REST)
        used = _processor_seconds(server.pid) - before
        return {"megabytes": _resident_bytes(server.pid) / 1e6, "milliseconds": used * 1000}


def _processor_seconds(pid: int) -> float:
    # The number of another process's clock, as clock_getcpuclockid(3) makes it: /proc counts in
    # hundredths of a second, which is too coarse here.
    return time.clock_gettime((~pid << 3) | 2)


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with a server that has no workers and no instances."""
    samples = interleave(
        rounds,
        {
            "full": partial(run, "rest", _WORKERS, _INSTANCES),
            "empty": partial(run, "rest", 0, 0),
        },
    )
    full, empty = samples["full"], samples["empty"]
    figure = f"{_WORKERS} connected workers, {_INSTANCES:,} waiting instances"
    return [
        Row(
            f"{figure}: {what}",
            f"{full[key]} {unit}",
            f"none of either: {empty[key]} {unit}",
            full[key].over(empty[key]),
        )
        for what, key, unit in (
            ("resident memory", "megabytes", "MB"),
            (f"processor time in {_REST:.0f} s at rest", "milliseconds", "ms"),
        )
    ]


def main() -> None:
    """Take one measurement: `rest.py WORKERS INSTANCES`."""
    with scratch() as folder, serving(folder) as server:
        report(asyncio.run(measure(server, int(sys.argv[1]), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
