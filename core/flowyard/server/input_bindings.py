"""Hands what input bindings read over to the application (docs/protocol.md §17)."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import quote

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty

from flowyard.backend.backoff import Backoff
from flowyard.backend.binding import BindingEvent
from flowyard.blocks.app_channel import AppChannel, AppRequest
from flowyard.blocks.bindings import BoundBinding
from flowyard.blocks.blocks import Blocks
from flowyard.errors import BackendUnavailable, BindingFailed, FlowyardError
from flowyard.server.app import wait_for_app
from flowyard.server.app_channel import AppAddress
from flowyard.server.grpc_app import CALLBACK, GrpcApp
from flowyard.wire.v1 import bindings_pb2 as wire

logger = logging.getLogger(__name__)

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SHORTEST, _LONGEST = 0.5, 10.0
_ABSENT = 405  # there is something at the path, and it does not know OPTIONS

Handler = Callable[[BindingEvent], Awaitable[None]]


class _Application(Protocol):
    """Where events go."""

    async def wants(self, bound: BoundBinding) -> bool:
        """Whether the application has something for the events of a binding."""
        ...

    async def take(self, bound: BoundBinding, event: BindingEvent) -> None:
        """Hand an event over; raises a `FlowyardError` if it is not taken."""
        ...


@asynccontextmanager
async def input_bindings(
    blocks: Blocks, app: AppChannel | None, address: AppAddress | None
) -> AsyncIterator[None]:
    """Read, once the application is there, until the end of the block."""
    inputs = [bound for bound in blocks.bindings.values() if _may_read(bound)]
    if app is None or address is None:
        for bound in inputs:
            logger.warning(
                "nobody takes the events of binding '%s': the application has no port. Start "
                "flowyard serve with --app-port.",
                bound.binding.name,
            )
        yield
        return
    to = _GrpcApplication(app, blocks) if isinstance(app, GrpcApp) else _HttpApplication(app)
    reading = [asyncio.create_task(_read(bound, to, address)) for bound in inputs]
    try:
        yield
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


def _may_read(bound: BoundBinding) -> bool:
    return bound.can_read and (not bound.directions or "input" in bound.directions)


async def _read(bound: BoundBinding, app: _Application, address: AppAddress) -> None:
    """Read, again and again if the outside goes away."""
    name = bound.binding.name
    await wait_for_app(address)
    if "input" not in bound.directions and not await _is_wanted(bound, app):
        logger.info("the application does not want the events of binding '%s'", name)
        return

    async def handle(event: BindingEvent) -> None:
        await app.take(bound, event)

    backoff = Backoff(_SHORTEST, _LONGEST)
    while True:
        try:
            async with bound.binding.read(handle):
                logger.info("the application gets the events of binding '%s'", name)
                await asyncio.Event().wait()
        except FlowyardError as error:
            logger.warning("binding '%s' cannot be read, and is tried again: %s", name, error)
            await backoff.sleep()


async def _is_wanted(bound: BoundBinding, app: _Application) -> bool:
    backoff = Backoff(_SHORTEST, _LONGEST)
    while True:
        try:
            return await app.wants(bound)
        except BackendUnavailable as error:
            name = bound.binding.name
            logger.warning(
                "whether the application wants binding '%s' is not known: %s", name, error
            )
            await backoff.sleep()


class _HttpApplication:
    """Each binding has a path, which is asked for with OPTIONS."""

    def __init__(self, channel: AppChannel) -> None:
        self._channel = channel

    async def wants(self, bound: BoundBinding) -> bool:
        request = AppRequest("OPTIONS", _path(bound), {"content-type": "application/json"})
        async with self._channel.call(request) as answer:
            return answer.status // 100 == 2 or answer.status == _ABSENT

    async def take(self, bound: BoundBinding, event: BindingEvent) -> None:
        headers = {name: _CONTROL.sub(" ", value).strip() for name, value in event.metadata.items()}
        headers["content-type"] = "application/json"
        request = AppRequest("POST", _path(bound), headers, event.data)
        async with self._channel.call(request) as answer:
            if answer.status // 100 != 2:
                raise BindingFailed(
                    f"the application answered {answer.status} to POST {_path(bound)}"
                )


class _GrpcApplication:
    """The application names its bindings, and its answers may go on to other bindings."""

    def __init__(self, app: GrpcApp, blocks: Blocks) -> None:
        self._app = app
        self._blocks = blocks

    async def wants(self, bound: BoundBinding) -> bool:
        try:
            told = await self._app.ask(
                f"{CALLBACK}/ListInputBindings", Empty(), wire.ListInputBindingsResponse
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return False
            raise BackendUnavailable(error.details() or error.code().name) from error
        return bound.binding.name in told.bindings

    async def take(self, bound: BoundBinding, event: BindingEvent) -> None:
        request = wire.BindingEventRequest(
            name=bound.binding.name, data=event.data, metadata=event.metadata
        )
        method = f"{CALLBACK}/OnBindingEvent"
        try:
            told = await self._app.ask(method, request, wire.BindingEventResponse)
        except grpc.aio.AioRpcError as error:
            text = f"the application answered {error.code().name}: {error.details()}"
            raise BindingFailed(text) from error
        await self._pass_on(told)

    async def _pass_on(self, told: wire.BindingEventResponse) -> None:
        """Give the answer of the application to the output bindings that it names."""
        found = [self._blocks.bindings.get(name) for name in told.to]
        for name, bound in zip(told.to, found, strict=True):
            if bound is None:
                raise BindingFailed(f"couldn't find output binding {name}")
        outputs = [bound for bound in found if bound is not None]
        if told.concurrency == wire.PARALLEL:
            await asyncio.gather(*(bound.invoke("create", told.data, {}) for bound in outputs))
            return
        for bound in outputs:
            await bound.invoke("create", told.data, {})


def _path(bound: BoundBinding) -> str:
    return f"/{quote(bound.route, safe='/?&=:@!$+,;~-._%')}"
