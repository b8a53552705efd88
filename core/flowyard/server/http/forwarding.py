"""Sends HTTP calls on to a daprd, and its answers back, as they are (docs/protocol.md §20)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flowyard.server.auth import TOKEN_HEADER
from flowyard.server.http.endpoints import (
    BREAK_OFF,
    call_of,
    fault_response,
    hung_up,
    peer_of,
)
from flowyard.server.not_served import Daprd
from flowyard.server.refusals import Refusals
from flowyard.wire.json.errors import Fault

logger = logging.getLogger(__name__)

Headers = Sequence[tuple[bytes, bytes]]

CONNECT_SECONDS = 5.0
_MOST_IDLE = 100
# A server that stops cancels what is under way. A stream without an end is ended before.
_EARLIER_SECONDS = 0.5
# What is said from one end of a connection to the other, and no further.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Of a request besides: for whom it is, which is another one there, and what we have answered.
_OURS = frozenset({b"host", b"expect", TOKEN_HEADER.encode()})
_STOPPING = Fault(
    503,
    "ERR_DAPRD_UNAVAILABLE",
    "the server stopped before the daprd answered: whether the call was carried out is not known",
)
_CALLER_GONE = Fault(
    400, "ERR_CALLER_GONE", "the caller closed its side of the connection before the daprd answered"
)


class HttpForwarding:
    """The way to the HTTP API of a daprd; `open_http_forwarding` makes one."""

    def __init__(
        self,
        daprd: Daprd,
        url: str,
        transport: httpx.AsyncBaseTransport,
        stopping: asyncio.Event,
        drain_seconds: float,
    ) -> None:
        self._url = httpx.URL(url)
        self._token = daprd.token
        self._transport = transport
        self._stopping = stopping
        self._drain_seconds = drain_seconds
        self.url = url

    async def time_is_up(self) -> None:
        """Return when the server stops and no longer waits for what is under way."""
        await self._stopping.wait()
        await asyncio.sleep(max(0.0, self._drain_seconds - _EARLIER_SECONDS))

    def answer(self, refusals: Refusals) -> Response:
        """Return what answers a request, of whose body nothing has been read, by forwarding it."""
        return _Forwarded(self, refusals)

    async def send(self, request: Request, body: AsyncIterator[bytes]) -> httpx.Response:
        """Send a request on; return once the head of the answer is there. Raises httpx's errors."""
        # By the transport: a client would add headers, follow redirects and decompress.
        return await self._transport.handle_async_request(
            httpx.Request(
                request.method,
                self._url,
                headers=self._headers(request.scope["headers"]),
                stream=_Body(body),
                extensions={
                    "target": _target(request.scope),
                    "timeout": {"connect": CONNECT_SECONDS},
                },
            )
        )

    def _headers(self, given: Headers) -> list[tuple[bytes, bytes]]:
        headers = [(b"host", self._url.netloc), *_passed_on(given, _OURS)]
        if any(name == b"transfer-encoding" for name, _ in given):
            # Its length is not known before it has all come.
            headers = [(name, value) for name, value in headers if name != b"content-length"]
            headers.append((b"transfer-encoding", b"chunked"))
        if self._token is not None:
            headers.append((TOKEN_HEADER.encode(), self._token.encode()))
        return headers


@asynccontextmanager
async def open_http_forwarding(
    daprd: Daprd, stopping: asyncio.Event, drain_seconds: float = 0
) -> AsyncIterator[HttpForwarding | None]:
    """Give the way to the daprd, None if it has no HTTP address; close it afterwards.

    Once `stopping` is set, calls under way have `drain_seconds` to end.
    """
    if daprd.http is None:
        yield None
        return
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=_MOST_IDLE)
    async with httpx.AsyncHTTPTransport(limits=limits) as transport:
        yield HttpForwarding(daprd, daprd.http, transport, stopping, drain_seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            yield chunk


class _Forwarded(Response):
    """An answer that a daprd gives."""

    def __init__(self, forwarding: HttpForwarding, refusals: Refusals) -> None:
        super().__init__()
        self._forwarding = forwarding
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(Request(scope, receive), send)
        # Who has gone must not keep a stream of the daprd open.
        relaying = asyncio.create_task(self._relay(exchange))
        hang_up = asyncio.create_task(exchange.hung_up())
        stop = asyncio.create_task(self._forwarding.time_is_up())
        tasks = (relaying, hang_up, stop)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            is_over, is_stopped = relaying.done(), stop.done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if is_over:
            relaying.result()
        elif exchange.is_answered:
            await exchange.break_off()
        else:
            await exchange.refuse(_STOPPING if is_stopped else _CALLER_GONE)

    async def _relay(self, exchange: _Exchange) -> None:
        try:
            response = await self._forwarding.send(exchange.request, exchange.body())
        except ClientDisconnect:
            return
        except httpx.HTTPError as error:
            fault = Fault(503, "ERR_DAPRD_UNAVAILABLE", self._reason(error))
            self._tell(exchange, fault.message)
            await exchange.refuse(fault)
            return
        try:
            await exchange.answer(response)
        except httpx.HTTPError as error:
            url = self._forwarding.url
            self._tell(exchange, f"the daprd at {url} broke off its answer: {_words(error)}")
            await exchange.break_off()
        finally:
            await response.aclose()

    def _reason(self, error: httpx.HTTPError) -> str:
        daprd = f"the daprd at {self._forwarding.url}, which --dapr names,"
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return f"{daprd} does not answer: {_words(error)}"
        return (
            f"{daprd} hung up before it answered: {_words(error)}. "
            "Whether the call was carried out is not known."
        )

    def _tell(self, exchange: _Exchange, reason: str) -> None:
        scope = exchange.request.scope
        self._refusals.tell("ERR_DAPRD_UNAVAILABLE", call_of(scope), peer_of(scope), reason)


class _Exchange:
    """One request of a caller, and what is sent back to it."""

    def __init__(self, request: Request, send: Send) -> None:
        self.request = request
        self.is_answered = False
        self._send = send
        self._is_read = asyncio.Event()

    async def body(self) -> AsyncIterator[bytes]:
        """Give the body as it comes; no sooner than it is taken, so that nothing piles up."""
        async with aclosing(self.request.stream()) as chunks:
            async for chunk in chunks:
                if chunk:
                    yield chunk
        self._is_read.set()

    async def answer(self, response: httpx.Response) -> None:
        """Send an answer back as it comes."""
        self._is_read.set()
        self.is_answered = True
        headers = _passed_on(response.headers.raw)
        start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
        await self._send(start)
        # As it was sent: not decompressed.
        async for chunk in response.aiter_raw():
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def refuse(self, fault: Fault) -> None:
        """Answer ourselves."""
        self.is_answered = True
        await fault_response(fault)(self.request.scope, self.request.receive, self._send)

    async def break_off(self) -> None:
        """End the connection: nothing else says that an answer which has begun is not whole."""
        self._is_read.set()
        if end := getattr(self.request.state, BREAK_OFF, None):
            end()
        while (await self.request.receive())["type"] != "http.disconnect":
            pass

    async def hung_up(self) -> None:
        """Return once the caller has gone, or sends no more and may have gone."""
        # As long as the body is read, its reader finds out.
        await self._is_read.wait()
        await hung_up(self.request)


def _target(scope: Scope) -> bytes:
    raw: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return raw + b"?" + query if query else raw


def _passed_on(
    given: Iterable[tuple[bytes, bytes]], besides: frozenset[bytes] = frozenset()
) -> list[tuple[bytes, bytes]]:
    """Return the headers that are not for us alone."""
    headers = [(name.lower(), value) for name, value in given]
    named = {
        token.strip().lower()
        for name, value in headers
        if name == b"connection"
        for token in value.split(b",")
    }
    dropped = _HOP_BY_HOP | named | besides
    return [(name, value) for name, value in headers if name not in dropped]


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
