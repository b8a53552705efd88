"""The port to listen on, also where it is taken for a moment by something else."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

from flowyard.errors import ConfigurationError

logger = logging.getLogger(__name__)

_TRIES = 25
_PAUSE_SECONDS = 0.2
_ANSWER_SECONDS = 1.0
# The kernel's own bound (net.core.somaxconn) is mostly the same.
_BACKLOG = 4096


async def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 is any free one. Raises `ConfigurationError`.

    Systems take ports like 50001 for outgoing connections too, and give them back soon. So a port
    that is in use though nobody listens there is tried again for some seconds.
    """
    for attempt in range(_TRIES):
        try:
            return _bound(host, port)
        except OSError as error:
            reason = f"cannot listen on {host} port {port}: {error.strerror or error}. "
            if error.errno != errno.EADDRINUSE or port == 0 or await _is_served(host, port):
                raise ConfigurationError(
                    f"{reason}Choose another port, or stop what listens there."
                ) from error
            if attempt == 0:
                logger.warning(
                    "%sNobody listens there, so the port is tried again for some seconds", reason
                )
            elif attempt == _TRIES - 1:
                raise ConfigurationError(
                    f"{reason}Nobody listens there, so an outgoing connection of this machine "
                    "must have it: try again, choose another port, or reserve this one "
                    "(net.ipv4.ip_local_reserved_ports)."
                ) from error
        await asyncio.sleep(_PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")


async def await_port(host: str, port: int) -> None:
    """Return when somebody else can listen there, for those that make their own sockets."""
    (await listen(host, port)).close()


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.create_server(
        (host, port),
        family=socket.AF_INET6 if ":" in host else socket.AF_INET,
        backlog=_BACKLOG,
        # `::` is every address of the machine, as it is for gRPC.
        dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
    )
    listener.setblocking(False)
    return listener


async def _is_served(host: str, port: int) -> bool:
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(local, port)
    except TimeoutError:
        return True  # one that is too busy to answer
    except OSError:
        return False
    writer.close()
    return True
