"""Makes the data of Temporal: runs whose turns were run here, and runs whose turns workers ran."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio.client import Client

from compatibility.instances import OpenRuntime, begin
from compatibility.runs import namespace_id, runs_of, write_runs
from compatibility.told import told_by, write_told
from flowyard import App, Runtime
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from servers.builds import temporal_server
from servers.namespaces import new_namespace
from servers.temporal_server import TemporalServer
from temporal.test_hosting import connected

DATA = Path(__file__).parent / "data" / "temporal"
WAYS = {"inline": (), "workers": ("-pause=false",)}
"""Where the turns run: each with the flags of its server, of which one can pause instances."""
# By then all of them have to stand where they are to stand.
_DUE_AFTER = timedelta(minutes=10)


def opener(address: str, namespace: str, way: str) -> OpenRuntime:
    """Return what opens runtimes that run turns in this way; without an app they only manage."""
    metadata = {"hostPort": address, "namespace": namespace, "identity": "made"}
    spec = ComponentSpec("orders", "workflow.temporal", metadata=metadata)

    @asynccontextmanager
    async def by_workers(app: App) -> AsyncIterator[Runtime]:
        executors = RemoteExecutors()
        async with (
            Runtime.open([spec], executor=executors.make) as runtime,
            connected(executors, app),
        ):
            yield runtime

    def open_runtime(app: App | None) -> AbstractAsyncContextManager[Runtime]:
        if app is None or way == "inline":
            return Runtime.open([spec], app)
        return by_workers(app)

    return open_runtime


async def make(name: str) -> None:
    """Write `NAME-WAY.runs.xz`, and what is told of the instances, for both ways."""
    program = temporal_server(print)
    with TemporaryDirectory() as folder:
        for way, flags in WAYS.items():
            with TemporalServer(program, Path(folder), *flags) as server:
                await _make(server.address, way, DATA / f"{name}-{way}.runs.xz")


async def _make(address: str, way: str, data: Path) -> None:
    namespace = new_namespace(address)
    open_runtime = opener(address, namespace, way)
    await begin(open_runtime, datetime.now(UTC) + _DUE_AFTER)
    client = await Client.connect(address, namespace=namespace)
    async with open_runtime(None) as runtime:
        write_told(await told_by(runtime), data)
    write_runs(data, (namespace, await namespace_id(client)), await runs_of(client))
