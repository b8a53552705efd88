"""A real Conductor server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from servers.process import ServerProcess, free_port

_SETTINGS = {
    "conductor.integrations.ai.enabled": "false",
    "conductor.scheduler.enabled": "false",
    "conductor.grpc-server.enabled": "false",
    "conductor.default-event-queue.type": "conductor",
    "conductor.enable.ui.serving": "false",
}
_DATABASE = "jdbc:sqlite:{}?busy_timeout=15000&journal_mode=WAL&synchronous=NORMAL"
# Some 20 s on an idle machine with two cores, and more than two minutes on a busy one.
_PATIENCE = 400


class ConductorServer(ServerProcess):
    """One at a fixed URL, with a database in a file."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        database: Path | None,
        flags: Sequence[str],
        port: int | None,
    ) -> None:
        port = port or free_port()
        self.url = f"http://127.0.0.1:{port}"
        file = database or folder / f"conductor-{port}.db"
        settings = {
            "server.port": str(port),
            "spring.datasource.url": _DATABASE.format(file),
            **_SETTINGS,
        }
        super().__init__(
            [*command, *(f"--{key}={value}" for key, value in settings.items()), *flags],
            folder / f"conductor-{port}.log",
            ready=lambda _: self._healthy(),
            patience=_PATIENCE,
        )

    def _healthy(self) -> bool:
        try:
            with urlopen(f"{self.url}/health", timeout=10) as answer:  # noqa: S310
                return answer.status == HTTPStatus.OK and b'"healthy":true' in answer.read()
        except (URLError, OSError):
            return False


@contextmanager
def conductor_running(
    command: Sequence[str],
    folder: Path,
    *flags: str,
    database: Path | None = None,
    port: int | None = None,
) -> Iterator[ConductorServer]:
    """Run one, with a database of its own unless a file is given."""
    server = ConductorServer(command, folder, database, flags, port)
    try:
        yield server
    finally:
        server.kill()
