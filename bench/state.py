"""State: get and save over HTTP and gRPC, beside bare handlers of the same libraries."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bench import bare
from bench.backend import scratch
from bench.management import compare, grpc_call, http_call, measure
from bench.process import report, run
from bench.sample import Row, interleave
from bench.server import Server, listening, serving
from flowyard.wire.v1 import state_pb2 as state

_STORE, _KEY = "bench-state", "one"
_VALUE = json.dumps("x" * 1000)
_SERVICE = "/dapr.proto.runtime.v1.Dapr"


async def measure_all(server: Server, constant: Mapping[str, str]) -> dict[str, float]:
    """Measure a save and a get of 1 kB, and the bare handlers."""
    url = f"/v1.0/state/{_STORE}"
    body = f'[{{"key": "{_KEY}", "value": {_VALUE}}}]'
    item = state.StateItem(key=_KEY, value=_VALUE.encode())
    save = state.SaveStateRequest(store_name=_STORE, states=[item])
    get = state.GetStateRequest(store_name=_STORE, key=_KEY)
    method = f"/{bare.SERVICE}/{bare.METHOD}"
    connections: dict[str, Callable[[], Any]] = {
        "http_bare": partial(http_call, constant["http"], bare.PATH),
        "grpc_bare": partial(grpc_call, constant["grpc"], method),
        "http_save": partial(http_call, server.http, url, "POST", body),
        "grpc_save": partial(
            grpc_call, server.grpc, f"{_SERVICE}/SaveState", save.SerializeToString()
        ),
        "http_get": partial(http_call, server.http, f"{url}/{_KEY}"),
        "grpc_get": partial(
            grpc_call, server.grpc, f"{_SERVICE}/GetState", get.SerializeToString()
        ),
    }
    return await measure(connections)


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with the bare handlers."""
    samples = interleave(rounds, {"all": partial(run, "state")})["all"]
    return [
        row
        for protocol, name in (("http", "HTTP"), ("grpc", "gRPC"))
        for kind in ("get", "save")
        for row in compare(
            f"state over {name}: `{kind}` of 1 kB, in memory",
            {key: samples[f"{protocol}_{kind}_{key}"] for key in ("p50", "p99", "per_second")},
            {key: samples[f"{protocol}_bare_{key}"] for key in ("p50", "p99", "per_second")},
        )
    ]


def main() -> None:
    """Take one measurement."""
    with (
        listening([sys.executable, "-m", "bench.bare"]) as (first_line, _),
        scratch() as folder,
        serving(folder, blocks={_STORE: ("state.in-memory", {})}) as server,
    ):
        report(asyncio.run(measure_all(server, json.loads(first_line))))


if __name__ == "__main__":
    main()
