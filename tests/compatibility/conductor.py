"""Makes the data of Conductor: the server's SQLite file, as SQL that is compressed."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractAsyncContextManager, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from compatibility.dumps import dump
from compatibility.instances import begin
from compatibility.told import told_by, write_told
from flowyard import App, Runtime
from flowyard.config import ComponentSpec
from flowyard.testing import VirtualClock
from servers.builds import conductor_server
from servers.conductor_server import ConductorServer

DATA = Path(__file__).parent / "data" / "conductor"
BEGUN = datetime(2028, 1, 1, tzinfo=UTC)
DUE = datetime(2029, 1, 1, tzinfo=UTC)
LATER = datetime(2030, 1, 1, tzinfo=UTC)
# Tasks are put off for an hour at most, by the server's clock: so it is as if that had passed.
_AGE = "UPDATE queue_message SET deliver_on = strftime('%Y-%m-%d %H:%M:%f', deliver_on, '-2 hours')"


def open_server(
    url: str, now: datetime, app: App | None = None
) -> AbstractAsyncContextManager[Runtime]:
    """Open a runtime on a server, at this time by the clock of the runtime."""
    spec = ComponentSpec("orders", "workflow.conductor", metadata={"url": f"{url}/api"})
    return Runtime.open([spec], app, clock=VirtualClock(now))


async def make(name: str) -> None:
    """Write `NAME.sql.xz`, and what is told of its instances."""
    data = DATA / f"{name}.sql.xz"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "conductor.db"
        with ConductorServer(conductor_server(print), Path(folder), database=file) as server:
            await begin(partial(open_server, server.url, BEGUN), DUE)
            async with open_server(server.url, BEGUN) as runtime:
                write_told(await told_by(runtime), data)
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(_AGE)
        dump(file, data)
