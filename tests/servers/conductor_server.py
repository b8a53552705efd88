"""A real Conductor server."""

from __future__ import annotations

from collections.abc import Sequence
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
    # A removal takes a second connection while its transaction holds the write lock. Where none is
    # left, others are refused, and the server fails workflows ("Error scheduling tasks").
    "spring.datasource.hikari.maximum-pool-size": "60",
    "spring.datasource.hikari.connection-timeout": "60000",
}
_DATABASE = "jdbc:sqlite:{}?busy_timeout=60000&journal_mode=WAL&synchronous=NORMAL"
# Some 20 s on an idle machine with two cores, and more than two minutes on a busy one.
_PATIENCE = 400


class ConductorServer(ServerProcess):
    """One at a fixed URL, with a database in a file."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *flags: str,
        database: Path | None = None,
        port: int | None = None,
        kill_on_exit: int | None = None,
    ) -> None:
        """Start it, with a database of its own unless a file is given."""
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
            kill_on_exit=kill_on_exit,
        )

    def _healthy(self) -> bool:
        try:
            with urlopen(f"{self.url}/health", timeout=10) as answer:  # noqa: S310
                return answer.status == HTTPStatus.OK and b'"healthy":true' in answer.read()
        except (URLError, OSError):
            return False
