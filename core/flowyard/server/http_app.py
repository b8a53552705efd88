"""The application, where it speaks HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from flowyard.errors import BackendUnavailable
from flowyard.server.app_channel import AppAddress, AppAway, AppRequest, AppResponse
from flowyard.server.auth import TOKEN_HEADER, is_loopback

_CONNECT_SECONDS = 10.0
_IDLE_CONNECTIONS = 100


class HttpApp:
    """Sends requests as they are, and gives answers as they come.

    An answer may take as long as it takes: who calls says when it is too long.
    """

    def __init__(self, address: AppAddress, client: httpx.AsyncClient) -> None:
        self._url = httpx.URL(f"{address.protocol}://{address.location}")
        self._client = client
        self._token = address.token
        limit = address.max_concurrency
        self._slots = asyncio.Semaphore(limit) if limit > 0 else None

    @asynccontextmanager
    async def call(self, request: AppRequest) -> AsyncIterator[AppResponse]:
        """Send a request, and give the answer while the block lasts."""
        headers = [
            (name.encode("latin-1"), value.encode())
            for name, value in request.headers.items()
            if name.lower() != TOKEN_HEADER
        ]
        if self._token is not None:
            headers.append((TOKEN_HEADER.encode(), self._token.encode()))
        async with AsyncExitStack() as stack:
            if self._slots is not None:
                await stack.enter_async_context(self._slots)
            # Not made by the client, which would add headers of its own.
            sent = httpx.Request(
                request.verb,
                self._url.copy_with(raw_path=request.path.encode("ascii")),
                headers=headers,
                content=request.body,
                extensions={"timeout": self._client.timeout.as_dict()},
            )
            try:
                answer = await self._client.send(sent, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise AppAway(str(self._unavailable(error))) from error
            except httpx.TransportError as error:
                raise self._unavailable(error) from error
            stack.push_async_callback(answer.aclose)
            yield AppResponse(
                answer.status_code, tuple(answer.headers.multi_items()), self._body(answer)
            )

    async def _body(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        except httpx.TransportError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: httpx.TransportError) -> BackendUnavailable:
        why = str(error) or type(error).__name__
        return BackendUnavailable(f"the application at {self._url} does not answer: {why}")


@asynccontextmanager
async def open_http_app(address: AppAddress) -> AsyncIterator[HttpApp]:
    """Give the channel to the application, which need not run yet."""
    async with httpx.AsyncClient(
        # Its certificate is its own on this machine, as Dapr takes it.
        verify=address.protocol == "https" and not is_loopback(address.host),
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=_IDLE_CONNECTIONS),
        trust_env=False,
        follow_redirects=False,
    ) as client:
        yield HttpApp(address, client)


async def read_body(response: AppResponse, limit: int) -> bytes:
    """Return the body; raise `BackendUnavailable` if it is longer than the limit, in bytes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.body:
        size += len(chunk)
        if size > limit:
            raise BackendUnavailable(
                f"the application answers with more than the limit of {limit} bytes (--max-body)"
            )
        chunks.append(chunk)
    return b"".join(chunks)
