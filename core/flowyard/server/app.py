"""The application beside the server: the channel to it, and when it is there."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager

from flowyard.server.app_channel import AppAddress
from flowyard.server.grpc_app import GrpcApp, open_grpc_app
from flowyard.server.http_app import HttpApp, open_http_app

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 0.5


def open_app(
    address: AppAddress, max_bytes: int
) -> AbstractAsyncContextManager[HttpApp] | AbstractAsyncContextManager[GrpcApp]:
    """Return what gives the channel to the application; raise `ConfigurationError`."""
    address.check()
    if address.protocol == "grpc":
        return open_grpc_app(address, max_bytes)
    return open_http_app(address)


async def wait_for_app(address: AppAddress) -> None:
    """Return once the application listens on its port, however long it takes."""
    is_told = False
    while True:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                _, writer = await asyncio.open_connection(address.host, address.port)
        except (OSError, TimeoutError):
            if not is_told:
                is_told = True
                logger.warning("waiting for the application to listen on %s", address.location)
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            writer.close()
            logger.info("the application listens on %s", address.location)
            return
