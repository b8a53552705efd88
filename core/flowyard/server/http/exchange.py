"""One request of a caller that somebody else answers, and what is sent back, as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing

from starlette.requests import Request
from starlette.types import Send

from flowyard.server.http.endpoints import BREAK_OFF, fault_response, hung_up
from flowyard.wire.json.errors import Fault


class Exchange:
    """Neither the request nor the answer is held in memory."""

    def __init__(self, request: Request, send: Send) -> None:
        self.request = request
        self.is_answered = False
        self._send = send
        self._is_read = asyncio.Event()

    def body(self) -> AsyncIterator[bytes] | bytes:
        """Return the body, which is read no sooner than it is taken; no bytes if there is none."""
        headers = self.request.headers
        if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
            return self._chunks()
        self._is_read.set()
        return b""

    async def _chunks(self) -> AsyncIterator[bytes]:
        async with aclosing(self.request.stream()) as chunks:
            async for chunk in chunks:
                if chunk:
                    yield chunk
        self._is_read.set()

    async def answer(
        self, status: int, headers: Iterable[tuple[str, str]], body: AsyncIterator[bytes]
    ) -> None:
        """Send an answer back as it comes."""
        self._is_read.set()
        self.is_answered = True
        raw = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
        async for chunk in body:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def refuse(self, fault: Fault) -> None:
        """Answer ourselves."""
        self._is_read.set()
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
