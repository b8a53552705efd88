"""The chain with Dapr's Python SDK: hosted on Temporal, beside native code."""

from __future__ import annotations

from functools import partial

from bench.backend import scratch
from bench.process import run
from bench.sample import Row, interleave
from bench.server import serving
from bench.temporal.server import metadata_of, temporal
from bench.wire import AT_ONCE, COUNT, run_sdk


def measure_hosted(address: str) -> dict[str, float]:
    """Measure `flowyard serve` with a component that is on the server."""
    with scratch() as folder:
        metadata = metadata_of(address)
        with serving(folder, type="workflow.temporal", metadata=metadata) as server:
            return run_sdk(server.grpc.rpartition(":")[2])


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with native code."""
    with temporal() as address:
        samples = interleave(
            rounds,
            {
                "hosted": partial(measure_hosted, address),
                "native": partial(run, "temporal.chain", "native", address),
            },
        )
    hosted, native = samples["hosted"]["per_second"], samples["native"]["per_second"]
    return [
        Row(
            "Temporal: chain of three with Dapr's Python SDK 1.18.3 over gRPC, "
            f"{COUNT} workflows, {AT_ONCE} at a time",
            f"{hosted} a second",
            f"native code: {native} a second",
            hosted.over(native),
            "at least 0.7",
        ),
    ]
