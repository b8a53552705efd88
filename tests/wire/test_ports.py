"""A port that is in use, by somebody who listens and by nobody who does."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flowyard import ConfigurationError
from flowyard.server import ports
from flowyard.server.ports import listen


@contextmanager
def _taken() -> Iterator[socket.socket]:
    """A port that a socket has which does not listen, as that of an outgoing connection."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder


class _Release(logging.Handler):
    """Gives the port back when it is said that it is tried again."""

    def __init__(self, holder: socket.socket) -> None:
        super().__init__(logging.WARNING)
        self._holder = holder

    def emit(self, record: logging.LogRecord) -> None:
        self._holder.close()


async def test_a_port_where_nobody_listens_is_tried_again() -> None:
    with _taken() as holder:
        port = holder.getsockname()[1]
        release = _Release(holder)
        ports.logger.addHandler(release)
        try:
            with await listen("127.0.0.1", port) as listener:
                assert listener.getsockname()[1] == port
        finally:
            ports.logger.removeHandler(release)


async def test_a_port_that_stays_taken_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "_PAUSE_SECONDS", 0.0)
    with _taken() as holder:
        port = holder.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port}.*ip_local_reserved_ports"):
            await listen("127.0.0.1", port)


async def test_a_port_where_somebody_listens_is_refused_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(ConfigurationError, match="stop what listens there"),
    ):
        await listen("127.0.0.1", server.getsockname()[1])
    assert caplog.text == ""


async def test_an_address_that_is_not_here_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot listen on 192\.0\.2\.1"):
        await listen("192.0.2.1", 0)
