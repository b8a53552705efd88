"""One connection of the HTTP server: how long it may take, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import is_ssl
from uvicorn.server import ServerState

from flowyard.server.http.endpoints import BREAK_OFF, HALF_CLOSED
from flowyard.server.refusals import Refusals

REQUEST_SECONDS = 60.0
"""How long a request may take to arrive, besides a second for each `BODY_RATE` bytes of it."""
BODY_RATE = 16 * 1024
ANSWER_SECONDS = 60.0
"""How long a caller may read nothing of an answer that waits for it."""

# What uvicorn says of the faults of callers has no bound in rate, and no peer.
_logger = logging.getLogger("flowyard.http.protocol")
_logger.setLevel(logging.ERROR)


class Connection(H11Protocol):
    """Answers a caller that has closed its sending side, and knows how long it has waited."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        refusals: Refusals,
        freed: Callable[[], None],
    ) -> None:
        self._half_closed = asyncio.Event()
        state = {HALF_CLOSED: self._half_closed, BREAK_OFF: self._break_off}
        super().__init__(config, server_state, state)
        self.logger = _logger
        self._refusals = refusals
        self._freed = freed
        self._since = self.loop.time()
        self._received = 0
        self._unread = 0
        self._unread_since = 0.0

    def idle_since(self) -> float | None:
        """Return since when no request has come with its headers, None if one is under way."""
        return self._since if self._is_answered() else None

    def _is_answered(self) -> bool:
        # uvicorn's own type does not say that there is none at first.
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]

    def _is_arriving(self) -> bool:
        return self._is_answered() or self.cycle.more_body

    def _is_idle(self) -> bool:
        # Nor is there a part of the next request, or the rest of one that was refused.
        is_between = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        return self._is_answered() and is_between

    def check(self, now: float) -> None:
        """Close the connection where the caller is too slow."""
        if self.flow.read_paused:
            self._since = now  # it is we who do not read
        waited = now - self._since
        if self._is_idle():
            # One that keeps a connection for later has done nothing wrong.
            if waited > self.timeout_keep_alive:
                self.transport.close()
        elif self._is_arriving() and waited > REQUEST_SECONDS + self._received / BODY_RATE:
            reason = f"the request was not complete within {waited:.0f} s"
            self._refusals.tell("TIMEOUT", "HTTP", self._peer(), reason)
            self.transport.close()
        self._check_reading(now)

    def _check_reading(self, now: float) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread == 0 or unread < self._unread or not self._unread:
            self._unread_since = now
        elif now - self._unread_since > ANSWER_SECONDS:
            self._refusals.tell(
                "TIMEOUT", "HTTP", self._peer(), "the client does not read the answer"
            )
            self.transport.abort()
        self._unread = unread

    def _peer(self) -> str:
        return "{}:{}".format(*self.client) if self.client else "unknown"

    def _break_off(self) -> None:
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._half_closed.set()
        self._freed()

    def data_received(self, data: bytes) -> None:
        if self._is_idle():
            self._since = self.loop.time()
            self._received = 0
        self._received += len(data)
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Stay open where a whole request is under way: the caller still reads its answer."""
        if is_ssl(self.transport) or self._is_arriving():
            return False
        self._half_closed.set()
        return True

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        self._received = 0
        super().on_response_complete()
        # Unless the next request had come already.
        if self._half_closed.is_set() and self._is_answered():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self._refusals.tell("BAD_REQUEST", "HTTP", self._peer(), msg)
        super().send_400_response(msg)
