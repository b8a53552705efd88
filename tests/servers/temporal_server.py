"""A real Temporal server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from servers.process import ServerProcess, free_port

# On its defaults a timer takes a second at least, continuing as new takes one, a purge ten or more.
QUICK = {
    "history.timerProcessorMaxTimeShift": "10ms",
    "history.workflowIdReuseMinimalInterval": "0s",
    "history.transferProcessorEnsureCloseBeforeDelete": "false",
}
_PATIENCE = 90


class TemporalServer(ServerProcess):
    """One at a fixed address."""

    def __init__(
        self,
        program: Path,
        folder: Path,
        *flags: str,
        database: Path | None = None,
        dynamic_config: Mapping[str, str] = QUICK,
        port: int | None = None,
        kill_on_exit: int | None = None,
    ) -> None:
        """Start it, in memory unless a file is given; `temporal/main.go` has the other flags."""
        port = port or free_port()
        self.address = f"127.0.0.1:{port}"
        settings = [f"-dynamic-config={key}={value}" for key, value in dynamic_config.items()]
        if database is not None:
            settings.append(f"-db={database}")
        super().__init__(
            [str(program), "-port", str(port), *settings, *flags],
            folder / f"temporal-{port}.log",
            ready=lambda said: "READY" in said,
            patience=_PATIENCE,
            kill_on_exit=kill_on_exit,
        )
