"""Serves the HTTP API on a socket of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from flowyard.api.http import HttpOptions, http_api
from flowyard.api.location import location
from flowyard.errors import ConfigurationError
from flowyard.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 is any free one. With a certificate and its key, over TLS."""

    host: str = "127.0.0.1"
    port: int = 3500
    certificate: Path | None = None
    key: Path | None = None
    drain_seconds: float = 10.0


@asynccontextmanager
async def serve_http(
    runtime: Runtime, address: Address, options: HttpOptions
) -> AsyncIterator[str]:
    """Serve until the end of the block and give the URL; then let requests under way finish."""
    server = _Server(_config(runtime, address, options), options.stopping)
    with _listen(address) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            ready = asyncio.create_task(server.ready.wait())
            await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            scheme = "https" if address.certificate else "http"
            yield f"{scheme}://{location(address.host, listener.getsockname()[1])}"
        finally:
            options.stopping.set()
            await serving


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server(
            (address.host, address.port),
            family=family,
            backlog=1024,
            # `::` is every address of the machine, as it is for gRPC.
            dualstack_ipv6=address.host == "::" and socket.has_dualstack_ipv6(),
        )
        # asyncio sets it only on sockets that it opens itself; without it a body waits 40 ms for
        # the receipt of its headers, on a connection that is kept alive.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {address.host} port {address.port}: {error.strerror or error}. "
            "Choose another port, or stop what listens there."
        ) from error


def _config(runtime: Runtime, address: Address, options: HttpOptions) -> uvicorn.Config:
    config = uvicorn.Config(
        http_api(runtime, options),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        # It would have to be kept up to date by a timer.
        date_header=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, round(address.drain_seconds)),
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    try:
        config.load()
    except OSError as error:
        raise ConfigurationError(
            f"the TLS certificate or key cannot be used: {error}. Give PEM files that fit."
        ) from error
    return config


class _Server(uvicorn.Server):
    """Waits for an event instead of looking ten times a second, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self._stopping.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
