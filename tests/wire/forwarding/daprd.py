"""A server in the place of a daprd, which shows what has reached it and answers what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import h11

Headers = Sequence[tuple[bytes, bytes]]

PATIENCE = 30.0


class HttpCall:
    """A call over HTTP, as it came."""

    def __init__(
        self,
        request: h11.Request,
        connection: h11.Connection,
        wire: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.method = request.method.decode()
        self.target = bytes(request.target)
        self.headers = [(bytes(name), bytes(value)) for name, value in request.headers]
        self.is_over = asyncio.Event()
        self._is_read = False
        self._connection = connection
        self._reader = wire
        self._writer = writer

    def header(self, name: bytes) -> list[bytes]:
        """Return the values of a header."""
        return [value for given, value in self.headers if given == name]

    async def read(self) -> bytes:
        """Return the next part of the body, nothing at its end."""
        while not self._is_read:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await self._reader.read(65536))
            elif isinstance(event, h11.Data):
                return bytes(event.data)
            else:
                assert isinstance(event, h11.EndOfMessage)
                self._is_read = True
        return b""

    async def body(self) -> bytes:
        """Return the whole body."""
        parts = []
        while part := await self.read():
            parts.append(part)
        return b"".join(parts)

    async def begin(self, status: int, headers: Headers = ()) -> None:
        """Send the head of the answer."""
        await self._send(h11.Response(status_code=status, headers=list(headers)))

    async def send(self, part: bytes) -> None:
        """Send a part of the answer's body."""
        await self._send(h11.Data(data=part))

    async def end(self) -> None:
        """Send the end of the answer."""
        await self._send(h11.EndOfMessage())
        self.is_over.set()

    async def answer(self, status: int = 200, headers: Headers = (), body: bytes = b"") -> None:
        """Read what is left of the body, and answer."""
        await self.body()
        await self.begin(status, [*headers, (b"content-length", str(len(body)).encode())])
        if body:
            await self.send(body)
        await self.end()

    def hang_up(self) -> None:
        """Close the connection without a word more."""
        self.is_over.set()
        self._connection.send_failed()

    async def gone(self) -> None:
        """Return once the other end has closed the connection."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            pass

    async def _send(self, event: Any) -> None:
        self._writer.write(self._connection.send(event) or b"")
        await self._writer.drain()


class HttpDaprd:
    """The HTTP API."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[HttpCall] = asyncio.Queue()
        self.url = ""
        self.connections: set[asyncio.Task[None]] = set()

    async def next(self) -> HttpCall:
        """Return the next call."""
        async with asyncio.timeout(PATIENCE):
            return await self.calls.get()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        self.connections.add(asyncio.ensure_future(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await reader.read(65536))
                elif isinstance(event, h11.Request):
                    call = HttpCall(event, connection, reader, writer)
                    self.calls.put_nowait(call)
                    await call.is_over.wait()
                    if connection.our_state is not h11.DONE:
                        break
                    connection.start_next_cycle()
                else:
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def http_daprd() -> AsyncIterator[HttpDaprd]:
    """Serve HTTP on a free port."""
    daprd = HttpDaprd()
    server = await asyncio.start_server(daprd.connected, "127.0.0.1", 0)
    daprd.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield daprd
    finally:
        server.close()
        for task in daprd.connections:
            task.cancel()
        await asyncio.gather(*daprd.connections, return_exceptions=True)


class GrpcCall:
    """A call over gRPC, as it came; `context` answers it."""

    def __init__(self, method: str, requests: AsyncIterator[bytes], context: Any) -> None:
        self.method = method
        self._requests = requests
        self.context = context
        self.metadata = [(key, value) for key, value in context.invocation_metadata()]
        self.gone = asyncio.Event()
        self._end: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    async def read(self) -> bytes:
        """Return the next message."""
        return await anext(aiter(self._requests))

    async def requests(self) -> list[bytes]:
        """Return all messages that are left."""
        return [message async for message in self._requests]

    def end(self, *status: Any) -> None:
        """End the call: with a code, a text and trailing metadata, or well."""
        self._end.set_result(status)

    async def finish(self) -> None:
        """Wait for the end, and tell it."""
        try:
            status = await self._end
        except asyncio.CancelledError:
            self.gone.set()
            raise
        if status:
            await self.context.abort(*status)


class GrpcDaprd(grpc.GenericRpcHandler):
    """The gRPC API: every method there is, of any kind."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[GrpcCall] = asyncio.Queue()
        self.address = ""

    async def next(self) -> GrpcCall:
        """Return the next call."""
        async with asyncio.timeout(PATIENCE):
            return await self.calls.get()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method

        async def answer(requests: AsyncIterator[bytes], context: Any) -> None:
            call = GrpcCall(method, requests, context)
            self.calls.put_nowait(call)
            await call.finish()

        return grpc.stream_stream_rpc_method_handler(answer, None, None)


@asynccontextmanager
async def grpc_daprd() -> AsyncIterator[GrpcDaprd]:
    """Serve gRPC on a free port."""
    daprd = GrpcDaprd()
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((daprd,))
    daprd.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield daprd
    finally:
        await server.stop(None)
