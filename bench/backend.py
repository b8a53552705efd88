"""What is measured: a runtime on the built-in engine, on a file of the checkout's own disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from flowyard import App, Runtime
from flowyard.config import ComponentSpec

_FOLDER = Path(__file__).parent.parent / "build" / "bench"


@contextmanager
def scratch() -> Iterator[Path]:
    """Lend an empty folder; not in /tmp, which may be a RAM disk and make syncing free."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=_FOLDER) as folder:
        yield Path(folder)


def open_runtime(file: Path, app: App) -> AbstractAsyncContextManager[Runtime]:
    """Open the engine on a SQLite file."""
    metadata = {"connectionString": f"sqlite:///{file}"}
    return Runtime.open([ComponentSpec("bench", "workflow.engine", metadata=metadata)], app)
