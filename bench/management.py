"""Management calls: `get` over HTTP and gRPC, beside bare handlers of the same libraries."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from statistics import quantiles
from typing import Any

import grpc.aio

from bench import bare
from bench.backend import scratch
from bench.process import report, run
from bench.sample import Row, Sample, interleave
from bench.server import listening, serving
from flowyard import App, Client, WorkflowContext
from flowyard.wire.v1 import taskhub_pb2 as taskhub

_COUNT, _AT_ONCE = 2000, 16
_WARM_UP = 200
_ID = "one"
_PAYLOAD = "x" * 1000

Call = Callable[[], Awaitable[object]]

app = App()


@app.workflow
async def echo(ctx: WorkflowContext, text: str) -> str:
    """Return the input."""
    return text


@asynccontextmanager
async def http_call(address: str, path: str) -> AsyncIterator[Call]:
    """Connect, and give what sends one request; a client library would cost more than a server."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = f"GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n".encode()

    async def call() -> bytes:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        return await reader.readexactly(int(length[1]))

    try:
        yield call
    finally:
        writer.close()


@asynccontextmanager
async def grpc_call(address: str, path: str, request: bytes = b"") -> AsyncIterator[Call]:
    """Connect, and give what sends one request."""
    async with grpc.aio.insecure_channel(address) as channel:
        method: Any = channel.unary_unary(path)

        async def call() -> bytes:
            answer: bytes = await method(request)
            assert answer
            return answer

        yield call


async def measure(connect: Callable[[], Any]) -> dict[str, float]:
    """Call one after the other, and then over as many connections at once."""
    async with AsyncExitStack() as stack:
        calls = [await stack.enter_async_context(connect()) for _ in range(_AT_ONCE)]
        await _repeat(calls[0], _WARM_UP)
        cuts = quantiles(await _repeat(calls[0], _COUNT), n=100)
        began = time.perf_counter()
        await asyncio.gather(*(_repeat(call, _COUNT // _AT_ONCE) for call in calls))
        seconds = time.perf_counter() - began
    return {"p50": cuts[49] * 1000, "p99": cuts[98] * 1000, "per_second": _COUNT / seconds}


async def _repeat(call: Call, count: int) -> list[float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - began)
    return taken


async def measure_bare(http: str, grpc: str) -> dict[str, float]:
    """Measure handlers that answer with a constant."""
    path = f"/{bare.SERVICE}/{bare.METHOD}"
    return {
        **_named("http", await measure(partial(http_call, http, bare.PATH))),
        **_named("grpc", await measure(partial(grpc_call, grpc, path))),
    }


async def measure_flowyard(http: str, grpc: str) -> dict[str, float]:
    """Measure `get` of a closed instance, with payloads and without."""
    async with Client(f"http://{http}") as client:
        await client.start("echo", _PAYLOAD, instance_id=_ID)
        assert (await client.wait(_ID)).result(str) == _PAYLOAD
    measured: dict[str, float] = {}
    for payloads, suffix in ((False, ""), (True, "_payloads")):
        url = f"/flowyard/v1/instances/{_ID}?payloads={str(payloads).lower()}"
        found = await measure(partial(http_call, http, url))
        measured |= _named(f"http{suffix}", found)
        request = taskhub.GetInstanceRequest(instance_id=_ID, get_inputs_and_outputs=payloads)
        method = "/TaskHubSidecarService/GetInstance"
        found = await measure(partial(grpc_call, grpc, method, request.SerializeToString()))
        measured |= _named(f"grpc{suffix}", found)
    return measured


def _named(name: str, measured: dict[str, float]) -> dict[str, float]:
    return {f"{name}_{key}": value for key, value in measured.items()}


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with the bare handlers."""
    samples = interleave(
        rounds, {kind: partial(run, "management", kind) for kind in ("flowyard", "bare")}
    )
    own, constant = samples["flowyard"], samples["bare"]
    return [
        row
        for protocol, name in (("http", "HTTP"), ("grpc", "gRPC"))
        for suffix, what in (("", "without payloads"), ("_payloads", "with 1 kB in and 1 kB out"))
        for row in _compare(
            f"`get` over {name} {what}",
            {key: own[f"{protocol}{suffix}_{key}"] for key in ("p50", "p99", "per_second")},
            {key: constant[f"{protocol}_{key}"] for key in ("p50", "p99", "per_second")},
        )
    ]


def _compare(figure: str, own: dict[str, Sample], constant: dict[str, Sample]) -> list[Row]:
    found = [
        Row(
            f"{figure}: latency, {key}",
            f"{own[key]} ms",
            f"bare handler: {constant[key]} ms",
            own[key].over(constant[key]),
        )
        for key in ("p50", "p99")
    ]
    rate, bare_rate = own["per_second"], constant["per_second"]
    against = f"bare handler: {bare_rate} a second"
    throughput = f"{figure}, {_AT_ONCE} at a time"
    return [*found, Row(throughput, f"{rate} a second", against, rate.over(bare_rate))]


def main() -> None:
    """Take one measurement: `management.py flowyard|bare`."""
    if sys.argv[1] == "bare":
        with listening([sys.executable, "-m", "bench.bare"]) as (first_line, _):
            report(asyncio.run(measure_bare(**json.loads(first_line))))
    else:
        with scratch() as folder, serving(folder, "--app", "bench.management:app") as server:
            report(asyncio.run(measure_flowyard(server.http, server.grpc)))


if __name__ == "__main__":
    main()
