"""An application for service invocation: it says what it was asked, and misbehaves on request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

CHUNK = b"x" * 65_536
CHUNKS = 160
"""Of which a large answer consists: 10 MB."""


class Target:
    """Answers by the last part of the path.

    Attributes:
        begun: Set once `never` was asked.
        ended: Set once the caller of `never` has gone.
        received: How many bytes `count` has taken.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.received = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        match request.url.path.rpartition("/")[2]:
            case "never":
                self.begun.set()
                while (await receive())["type"] != "http.disconnect":
                    pass
                self.ended.set()
            case "large":
                await _answer(send, 200, [], _large())
            case "broken":
                headers = [(b"content-length", b"1000000")]
                await _answer(send, 200, headers, _one(CHUNK))
            case "redirect":
                headers = [(b"location", b"http://example.org/elsewhere")]
                await _answer(send, 302, headers, _one(b"go there"))
            case "count":
                async for chunk in request.stream():
                    self.received += len(chunk)
                await _answer(send, 200, [], _one(str(self.received).encode()))
            case status if status.isdecimal() and len(status) == 3:
                headers = [(b"content-type", b"text/plain"), (b"x-tea", b"green")]
                await _answer(send, int(status), headers, _one(b"as asked"))
            case _:
                await self._echo(request, send)

    async def _echo(self, request: Request, send: Send) -> None:
        body = await request.body()
        told = {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": dict(request.headers),
            "body": body.decode("latin-1"),
        }
        headers = [
            (b"content-type", b"application/json"),
            (b"x-two", b"1"),
            (b"x-two", b"2"),
            (b"keep-alive", b"timeout=5"),
        ]
        await _answer(send, 200, headers, _one(json.dumps(told).encode()))


async def _large() -> AsyncIterator[bytes]:
    for _ in range(CHUNKS):
        yield CHUNK


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _answer(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: AsyncIterator[bytes]
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    async for chunk in body:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
