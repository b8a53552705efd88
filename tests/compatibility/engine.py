"""Makes the data of the engine: a SQLite file, as SQL."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
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

DATA = Path(__file__).parent / "data" / "engine"
BEGUN = datetime(2028, 1, 1, tzinfo=UTC)
DUE = datetime(2029, 1, 1, tzinfo=UTC)
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def open_file(
    file: Path, now: datetime, app: App | None = None
) -> AbstractAsyncContextManager[Runtime]:
    """Open a runtime on a file, at this time."""
    metadata = {"connectionString": f"sqlite:///{file}"}
    spec = ComponentSpec("orders", "workflow.engine", metadata=metadata)
    return Runtime.open([spec], app, clock=VirtualClock(now))


async def make(name: str) -> None:
    """Write `NAME.sql`, and what is told of its instances."""
    data = DATA / f"{name}.sql"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "flowyard.db"
        await begin(partial(open_file, file, BEGUN), DUE)
        async with open_file(file, BEGUN) as runtime:
            write_told(await told_by(runtime), data)
        dump(file, data)
