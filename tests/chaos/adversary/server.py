"""The server under test, in this process, so that an orderly restart takes a moment only."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import grpc.aio

from chaos.hub import channel_to
from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.server.grpc.server import serve_grpc

_LONGEST_END = 30.0


class Serving(Protocol):
    """A server that is begun and ended again and again; `epoch` counts its lives."""

    epoch: int
    may_refuse: bool
    """Whether calls may fail because nothing can be written."""

    def calm(self) -> None:
        """Have nothing go wrong from now on."""

    def channel(self) -> Any:
        """Return a new connection to it."""

    async def start(self) -> None:
        """Return once it serves."""

    async def stop(self) -> None:
        """End it; raises `TimeoutError`."""


class Server:
    """Serves one file; `epoch` counts its lives."""

    def __init__(self, database: Path, choices: random.Random) -> None:
        cached = choices.choice(("0", "3", "1000"))
        metadata = {"connectionString": f"sqlite:///{database}", "cachedInstances": cached}
        metadata["synchronous"] = choices.choice(("full", "off"))
        self._spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
        self._stack = AsyncExitStack()
        self._grace = choices.choice((0.0, 0.3))
        self.epoch = 0
        self.may_refuse = False
        self._address = ""

    def calm(self) -> None:
        """Nothing goes wrong with a real file."""

    def channel(self) -> grpc.aio.Channel:
        """Return a new connection to it."""
        return channel_to(self._address)

    async def start(self) -> None:
        """Return once it serves, at an address of its own."""
        executors = RemoteExecutors()
        runtime = await self._stack.enter_async_context(
            Runtime.open([self._spec], executor=executors.make)
        )
        port = await self._stack.enter_async_context(
            serve_grpc(runtime, executors, port=0, grace_seconds=self._grace)
        )
        self.epoch += 1
        self._address = f"127.0.0.1:{port}"

    async def stop(self) -> None:
        """End in order; raises `TimeoutError`."""
        async with asyncio.timeout(_LONGEST_END):
            await self._stack.aclose()
