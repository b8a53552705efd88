"""Connections between simulated processes: the server's own handlers, over no transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from grpc.aio import Metadata

from flowyard.server.grpc.methods import Router
from simulation.loop import SimulatedLoop
from simulation.world import World

_LONGEST_WAY = 1_500


@dataclass(eq=False)
class Endpoint:
    """A server as connections see it: nobody answers without a router, and once it is dead."""

    loop: SimulatedLoop
    router: Router | None = None
    calls: set[_Call] = field(default_factory=set)

    def end(self) -> None:
        """Break off all that is under way."""
        self.router = None
        for call in sorted(self.calls, key=lambda call: call.number):
            call.fail(grpc.StatusCode.UNAVAILABLE, "the server is gone")


@dataclass
class _Details:
    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...] = ()


class _Context:
    """What a handler knows of its call."""

    def __init__(self, call: _Call) -> None:
        self._call = call

    def peer(self) -> str:
        return self._call.channel.peer

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def write(self, data: bytes) -> None:
        self._call.reply(data)

    async def abort(self, code: grpc.StatusCode, details: str = "") -> None:
        self._call.fail(code, details)
        raise grpc.aio.AbortError


class SimulatedChannel:
    """One connection of a process of its own to a server."""

    def __init__(self, world: World, loop: SimulatedLoop, endpoint: Endpoint) -> None:
        self.world = world
        self.loop = loop
        self.endpoint = endpoint
        self.peer = f"simulated:{world.new_number()}"
        self._calls: set[_Call] = set()

    async def close(self) -> None:
        """Give up what is under way."""
        for call in sorted(self._calls, key=lambda call: call.number):
            call.cancel()

    def unary_unary(self, method: str, *, response_deserializer: Callable[[bytes], Any]) -> Any:
        """Return what calls a method once."""

        async def ask(data: bytes, timeout: float) -> Any:  # noqa: ASYNC109 - as gRPC has it
            call = self._begin(method, data)
            try:
                async with asyncio.timeout(timeout):
                    return response_deserializer(await anext(call))
            except TimeoutError:
                raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, "it took too long") from None
            finally:
                call.cancel()
                self._calls.discard(call)

        return ask

    def unary_stream(self, method: str, *, response_deserializer: Callable[[bytes], Any]) -> Any:
        """Return what opens a stream."""

        def open_stream(data: bytes, *, wait_for_ready: bool) -> _Stream:
            del wait_for_ready
            return _Stream(self._begin(method, data), response_deserializer)

        return open_stream

    def _begin(self, method: str, data: bytes) -> _Call:
        call = _Call(self, method, data)
        self._calls.add(call)
        return call


class _Call:
    """A call under way. What is sent arrives later, in its order."""

    def __init__(self, channel: SimulatedChannel, method: str, data: bytes) -> None:
        self.channel = channel
        self.number = channel.world.new_number()
        self._method = method
        self._data = data
        self._arrived: asyncio.Queue[bytes | grpc.aio.AioRpcError | None] = asyncio.Queue()
        self._free_at = 0
        self._has_ended = False
        self._task: asyncio.Task[None] | None = None
        endpoint = channel.endpoint
        endpoint.calls.add(self)
        channel.world.after(channel.world.draw(_LONGEST_WAY), self._arrive)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        answer = await self._arrived.get()
        if answer is None:
            raise StopAsyncIteration
        if isinstance(answer, grpc.aio.AioRpcError):
            raise answer
        return answer

    def cancel(self) -> None:
        """Say that nobody waits for an answer any more."""
        if not self._has_ended:
            self._end()
            world, loop = self.channel.world, self.channel.endpoint.loop
            world.after(world.draw(_LONGEST_WAY), lambda: _soon(loop, self._withdraw))

    def reply(self, data: bytes | None) -> None:
        """Send something back; None is the end."""
        self._send(data)

    def fail(self, code: grpc.StatusCode, details: str) -> None:
        """Send back how it has failed."""
        if not self._has_ended:
            self._send(_error(code, details))
            self._end()

    def _send(self, answer: bytes | grpc.aio.AioRpcError | None) -> None:
        if self._has_ended:
            return
        world, loop = self.channel.world, self.channel.loop
        self._free_at = max(self._free_at, world.now) + world.draw(_LONGEST_WAY)
        world.at(self._free_at, lambda: _soon(loop, lambda: self._arrived.put_nowait(answer)))

    def _end(self) -> None:
        self._has_ended = True
        self.channel.endpoint.calls.discard(self)

    def _arrive(self) -> None:
        endpoint = self.channel.endpoint
        if endpoint.loop.is_dead or endpoint.router is None:
            self.fail(grpc.StatusCode.UNAVAILABLE, "nobody listens")
        elif not self._has_ended:
            _soon(endpoint.loop, self._handle)

    def _withdraw(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _handle(self) -> None:
        self._task = self.channel.endpoint.loop.create_task(self._answer())

    async def _answer(self) -> None:
        router = self.channel.endpoint.router
        if router is None:
            self.fail(grpc.StatusCode.UNAVAILABLE, "nobody listens")
            return
        handler: Any = router.service(_Details(self._method))
        context = _Context(self)
        try:
            if handler.response_streaming:
                await handler.unary_stream(self._data, context)
                self.reply(None)
            else:
                answer = await handler.unary_unary(self._data, context)
                self.reply(handler.response_serializer(answer))
        except grpc.aio.AbortError:
            return
        except Exception as error:  # noqa: BLE001 - as gRPC does
            self.fail(grpc.StatusCode.UNKNOWN, repr(error))


class _Stream:
    """A stream, as who reads it sees it."""

    def __init__(self, call: _Call, deserialize: Callable[[bytes], Any]) -> None:
        self._call = call
        self._deserialize = deserialize

    def __aiter__(self) -> _Stream:
        return self

    async def __anext__(self) -> Any:
        return self._deserialize(await anext(self._call))

    def cancel(self) -> None:
        """Leave."""
        self._call.cancel()


def _soon(loop: SimulatedLoop, callback: Callable[[], None]) -> None:
    if not loop.is_dead:
        loop.call_soon(callback)


def _error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, Metadata(), Metadata(), details)
