"""A real Redis server."""

from __future__ import annotations

import shutil
from pathlib import Path

from servers.cache import Unavailable
from servers.process import ServerProcess, free_port

_PATIENCE = 60


def redis_program() -> Path:
    """Return where redis-server is; raises `Unavailable` if it is not installed."""
    found = shutil.which("redis-server")
    if found is None:
        raise Unavailable(
            "redis-server is not installed (on Debian and Ubuntu: apt-get install redis-server)"
        )
    return Path(found)


class RedisServer(ServerProcess):
    """One at a fixed address, which has on disk what it has acknowledged."""

    def __init__(
        self,
        program: Path,
        folder: Path,
        *flags: str,
        port: int | None = None,
        kill_on_exit: int | None = None,
    ) -> None:
        """Start it; its files are in the folder."""
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        super().__init__(
            [
                *(str(program), "--bind", "127.0.0.1", "--port", str(self.port)),
                *("--dir", str(folder), *durable, *flags),
            ],
            folder / f"redis-{self.port}.log",
            ready=lambda said: "eady to accept connections" in said,
            patience=_PATIENCE,
            kill_on_exit=kill_on_exit,
        )
