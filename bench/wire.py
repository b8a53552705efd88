"""The chain with Dapr's Python SDK: a durable server and one that keeps everything in memory."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

from bench.backend import scratch
from bench.environment import python_with
from bench.process import run_program
from bench.sample import Row, interleave
from bench.server import listening, serving

COUNT, AT_ONCE = 200, 50
_SDK = ("dapr==1.18.3", "dapr-ext-workflow==1.18.3")
_GENERATOR = "grpcio-tools==1.75.1"
_PROGRAM = Path(__file__).parent / "programs" / "dapr_chain.py"
# A prototype beside the project: a worker service without storage, retries or recovery.
_SPIKES = Path(__file__).parent.parent.parent / "shared" / "spikes"
_REFERENCE = _SPIKES / "wire_server.py"


def measure_flowyard() -> dict[str, float]:
    """Measure `flowyard serve` on a SQLite file."""
    with scratch() as folder, serving(folder) as server:
        return run_sdk(server.grpc.rpartition(":")[2])


def measure_reference(generated: Path) -> dict[str, float]:
    """Measure the server without storage."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, str(_REFERENCE), port]
    with listening(command, {"PYTHONPATH": str(generated)}):
        return run_sdk(port)


def run_sdk(port: str) -> dict[str, float]:
    """Run worker and client on the server at this port."""
    return run_program([python_with(*_SDK), str(_PROGRAM), port, str(COUNT), str(AT_ONCE)])


def _generate(folder: Path) -> None:
    # The module that the server imports is named after this file.
    shutil.copy(_SPIKES / "wire.proto", folder / "spikewire.proto")
    protoc = [python_with(_GENERATOR), "-m", "grpc_tools.protoc"]
    paths = [f"--proto_path={folder}", f"--python_out={folder}", "spikewire.proto"]
    subprocess.run([*protoc, *paths], check=True)


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with the server without storage, if it is there."""
    figure = "chain of three with Dapr's Python SDK 1.18.3 over gRPC"
    throughput = f"{figure}, {COUNT} workflows, {AT_ONCE} at a time"
    latency = f"{figure}: latency alone"
    if not _REFERENCE.exists():
        own = interleave(rounds, {"flowyard": measure_flowyard})["flowyard"]
        missing = "left out: the server without storage is not there"
        return [
            Row(throughput, f"{own['per_second']} a second", missing, ""),
            Row(latency, f"{own['milliseconds']} ms", missing, ""),
        ]
    with scratch() as folder:
        _generate(folder)
        samples = interleave(
            rounds,
            {"flowyard": measure_flowyard, "reference": partial(measure_reference, folder)},
        )
    own, other = samples["flowyard"], samples["reference"]
    return [
        Row(
            throughput,
            f"{own['per_second']} a second",
            f"server without storage: {other['per_second']} a second",
            own["per_second"].over(other["per_second"]),
            "at least 0.8",
        ),
        Row(
            latency,
            f"{own['milliseconds']} ms",
            f"server without storage: {other['milliseconds']} ms",
            own["milliseconds"].over(other["milliseconds"]),
        ),
    ]
