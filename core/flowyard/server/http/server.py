"""Serves the HTTP API on a socket of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from flowyard.errors import ConfigurationError
from flowyard.runtime import Runtime
from flowyard.server.address import location
from flowyard.server.http.application import HttpOptions, http_api
from flowyard.server.http.connection import Connection
from flowyard.server.ports import listen

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept; longer than any usual client keeps it for itself.

A server that closes first leaves a caller in doubt whether its request was still read.
"""
_LONGEST_HEAD = 32 * 1024
_HANDSHAKE_SECONDS = 10.0
_SECONDS_BETWEEN_CHECKS = 5.0
# How long a connection must have been idle to be closed in favour of a new one.
_IDLE_SECONDS = 5.0
_SECONDS_BETWEEN_WARNINGS = 60.0
_MOST_CONNECTIONS = 16 * 1024


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen for HTTP. With a certificate and its key, over TLS.

    Attributes:
        host: The name or address to listen on; 127.0.0.1, this machine alone, by default.
        port: The port; 3500 by default, 0 for any free one.
        certificate: A PEM file with the certificate and what leads to its authority; none, and no
            TLS, by default.
        key: The PEM file of the certificate's key; none by default.
        drain_seconds: How long, in seconds, what is under way may take once the server stops; 10 by
            default.
    """

    host: str = "127.0.0.1"
    port: int = 3500
    certificate: Path | None = None
    key: Path | None = None
    drain_seconds: float = 10.0


@asynccontextmanager
async def serve_http(
    runtime: Runtime, address: Address, options: HttpOptions
) -> AsyncIterator[str]:
    """Serve until the end of the block and give the URL; then let requests under way finish.

    From the moment when `options.stopping` is set, new requests are refused and those under way
    are answered; `drain_seconds` later at the most, they are given up.
    """
    check_certificate(address)
    config = _config(runtime, address, options)
    listener = await listen(address.host, address.port)
    # asyncio sets it only on sockets that it opens itself; without it a body waits 40 ms for
    # the receipt of its headers, on a connection that is kept alive.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _Server(config, options, address.drain_seconds)
    with listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            ready = asyncio.create_task(server.ready.wait())
            await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            scheme = "https" if address.certificate else "http"
            yield f"{scheme}://{location(address.host, listener.getsockname()[1])}"
        finally:
            options.stopping.set()
            server.closing.set()
            await serving


def check_certificate(address: Address) -> None:
    """Raise `ConfigurationError` where TLS is asked for with what cannot be used for it."""
    if address.certificate is None:
        if address.key is not None:
            raise ConfigurationError(
                "a TLS key was given without a certificate. Give both: --tls-cert and --tls-key."
            )
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key under a passphrase would have the library ask for it on the terminal.
        context.load_cert_chain(address.certificate, address.key, password=lambda: "")
    except OSError as error:
        raise ConfigurationError(
            f"the TLS certificate or key cannot be used: {error}. Give PEM files that belong to "
            "each "
            "other, the key without a passphrase: --tls-cert and --tls-key."
        ) from error


def _config(runtime: Runtime, address: Address, options: HttpOptions) -> uvicorn.Config:
    config = uvicorn.Config(
        http_api(runtime, options),
        http=Connection,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        # It would have to be kept up to date by a timer.
        date_header=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(address.drain_seconds)),
        # Connections are bounded where they are accepted, so that nothing is refused in a burst.
        limit_concurrency=None,
        h11_max_incomplete_event_size=_LONGEST_HEAD,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    config.load()
    return config


class _Server(uvicorn.Server):
    """Bounds connections and their time, waits for events, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config, options: HttpOptions, drain_seconds: float) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.closing = asyncio.Event()
        self._stopping = options.stopping
        self._refusals = options.refusals
        self._drain_seconds = drain_seconds
        self._until = 0.0
        self._freed = asyncio.Event()
        self._told_full = float("-inf")
        self._most = _most_connections()
        self._connecting: set[asyncio.Task[None]] = set()
        self._background: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        self.servers = []
        self._background = [asyncio.create_task(self._accept(socket)) for socket in sockets or ()]
        self._background.append(asyncio.create_task(self._watch()))
        self.started = True
        self.ready.set()

    async def main_loop(self) -> None:
        await self._stopping.wait()
        self._until = asyncio.get_running_loop().time() + self._drain_seconds
        await self.closing.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        left = self._until - asyncio.get_running_loop().time()
        self.config.timeout_graceful_shutdown = max(1, round(left))
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._make_room()
            try:
                accepted, _ = await loop.sock_accept(listener)
            except ConnectionError:
                continue  # it has hung up already
            except OSError as error:
                self._tell_full(error.strerror or str(error))
                self._close_idlest()
                await self._wait_for_room()
                continue
            task = loop.create_task(self._connect(accepted))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
            # Between two of a burst, those that are open already have their turn.
            await asyncio.sleep(0)

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._connection,
                accepted,
                ssl=self.config.ssl,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if self.config.ssl else None,
            )
        except OSError as error:
            # It hung up, or does not speak TLS.
            self._refusals.tell("CONNECTION", "HTTP", "a new connection", str(error))
            accepted.close()
            self._freed.set()

    def _connection(self) -> Connection:
        return Connection(self.config, self.server_state, self._refusals, self._freed.set)

    async def _make_room(self) -> None:
        while len(self.server_state.connections) + len(self._connecting) >= self._most:
            self._tell_full(f"there are {self._most} connections, the most that are served at once")
            self._close_idlest()
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        self._freed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._freed.wait()

    def _tell_full(self, reason: str) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._told_full + _SECONDS_BETWEEN_WARNINGS:
            self._told_full = now
            logger.warning(
                "new HTTP connections have to wait, and idle ones are closed: %s", reason
            )

    def _close_idlest(self) -> None:
        now = asyncio.get_running_loop().time()
        idle = [
            (since, id(connection), connection)
            for connection in self.server_state.connections
            if isinstance(connection, Connection)
            and (since := connection.idle_since()) is not None
            and now - since >= _IDLE_SECONDS
        ]
        if idle:
            min(idle)[2].shutdown()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_CHECKS)
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.check(now)


def _most_connections() -> int:
    """Return how many there may be: components, workers and files need descriptors too."""
    if resource is None:
        return _MOST_CONNECTIONS
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(1, min(_MOST_CONNECTIONS, descriptors // 2))
