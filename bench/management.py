"""Management calls: `get` over HTTP and gRPC, beside bare handlers of the same libraries."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from statistics import quantiles
from typing import Any

import grpc.aio

from bench import bare
from bench.backend import scratch
from bench.process import report, run
from bench.sample import Row, Sample, interleave
from bench.server import Server, listening, serving
from flowyard import App, Client, WorkflowContext
from flowyard.wire.v1 import taskhub_pb2 as taskhub

_SLICES, _SLICE, _AT_ONCE = 20, 160, 16
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
async def http_call(
    address: str, path: str, method: str = "GET", body: str = ""
) -> AsyncIterator[Call]:
    """Connect, and give what sends one request; a client library would cost more than a server."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    length_of_body = f"content-length: {len(body)}\r\n" if body else ""
    head_of_request = f"{method} {path} HTTP/1.1\r\nhost: {address}\r\n{length_of_body}\r\n"
    request = f"{head_of_request}{body}".encode()

    async def call() -> bytes:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 204 "):
            return b""
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
            return answer

        yield call


async def measure(connections: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Call one after the other, and then over as many connections at once.

    All take turns, a slice each: what else goes on in the machine meets all of them.
    """
    alone: defaultdict[str, list[float]] = defaultdict(list)
    seconds: defaultdict[str, float] = defaultdict(float)
    async with AsyncExitStack() as stack:
        calls = {
            name: [await stack.enter_async_context(connect()) for _ in range(_AT_ONCE)]
            for name, connect in connections.items()
        }
        for some in calls.values():
            await _repeat(some[0], _WARM_UP)
        for _ in range(_SLICES):
            for name, some in calls.items():
                alone[name] += await _repeat(some[0], _SLICE)
                began = time.perf_counter()
                await asyncio.gather(*(_repeat(call, _SLICE // _AT_ONCE) for call in some))
                seconds[name] += time.perf_counter() - began
    measured: dict[str, float] = {}
    for name in connections:
        cuts = quantiles(alone[name], n=100)
        measured[f"{name}_p50"], measured[f"{name}_p99"] = cuts[49] * 1000, cuts[98] * 1000
        measured[f"{name}_per_second"] = _SLICES * _SLICE / seconds[name]
    return measured


async def _repeat(call: Call, count: int) -> list[float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - began)
    return taken


async def measure_all(server: Server, constant: Mapping[str, str]) -> dict[str, float]:
    """Measure `get` of a closed instance, with payloads and without, and the bare handlers."""
    async with Client(f"http://{server.http}") as client:
        await client.start("echo", _PAYLOAD, instance_id=_ID)
        assert (await client.wait(_ID)).result(str) == _PAYLOAD
    method = f"/{bare.SERVICE}/{bare.METHOD}"
    connections: dict[str, Callable[[], Any]] = {
        "http_bare": partial(http_call, constant["http"], bare.PATH),
        "grpc_bare": partial(grpc_call, constant["grpc"], method),
    }
    for payloads, name in ((False, "short"), (True, "long")):
        url = f"/flowyard/v1/instances/{_ID}?payloads={str(payloads).lower()}"
        connections[f"http_{name}"] = partial(http_call, server.http, url)
        request = taskhub.GetInstanceRequest(instance_id=_ID, get_inputs_and_outputs=payloads)
        method = "/TaskHubSidecarService/GetInstance"
        connections[f"grpc_{name}"] = partial(
            grpc_call, server.grpc, method, request.SerializeToString()
        )
    return await measure(connections)


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with the bare handlers."""
    samples = interleave(rounds, {"all": partial(run, "management")})["all"]
    return [
        row
        for protocol, name in (("http", "HTTP"), ("grpc", "gRPC"))
        for kind, what in (("short", "without payloads"), ("long", "with 1 kB in and 1 kB out"))
        for row in compare(
            f"`get` over {name} {what}",
            {key: samples[f"{protocol}_{kind}_{key}"] for key in ("p50", "p99", "per_second")},
            {key: samples[f"{protocol}_bare_{key}"] for key in ("p50", "p99", "per_second")},
        )
    ]


def compare(figure: str, own: dict[str, Sample], constant: dict[str, Sample]) -> list[Row]:
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
    """Take one measurement."""
    with (
        listening([sys.executable, "-m", "bench.bare"]) as (first_line, _),
        scratch() as folder,
        serving(folder, "--app", "bench.management:app") as server,
    ):
        report(asyncio.run(measure_all(server, json.loads(first_line))))


if __name__ == "__main__":
    main()
