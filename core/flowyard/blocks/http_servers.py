"""HTTP servers of others, which are called as they are named or by their URLs."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx

from flowyard.backend.certificates import client_context
from flowyard.blocks.app_channel import AppRequest, AppResponse
from flowyard.config import HttpEndpoint, SecretRef
from flowyard.errors import BackendUnavailable, ConfigurationError, InvalidRequest

_CONNECT_SECONDS = 10.0
_IDLE_CONNECTIONS = 100
# Nobody's proxy leads to this machine.
_DIRECT = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class HttpServer:
    """One server. Redirects are given back, and not followed."""

    def __init__(self, url: str, headers: Mapping[str, str], client: httpx.AsyncClient) -> None:
        self._url = url
        self._headers = headers
        self._client = client

    @asynccontextmanager
    async def call(self, request: AppRequest) -> AsyncIterator[AppResponse]:
        """Send a request, and give the answer while the block lasts."""
        headers = httpx.Headers(dict(request.headers))
        headers.update(self._headers)
        try:
            # Not made by the client, which would add headers of its own.
            sent = httpx.Request(
                request.verb,
                f"{self._url}{request.path}",
                headers=headers,
                content=request.body,
                extensions={"timeout": self._client.timeout.as_dict()},
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise InvalidRequest(f"'{self._url}' cannot be called: {error}") from error
        try:
            answer = await self._client.send(sent, stream=True)
        except httpx.LocalProtocolError as error:
            # The reason may quote a token.
            raise InvalidRequest("the name or the value of a header cannot be sent") from error
        except httpx.TransportError as error:
            raise self._unavailable(sent.url, error) from error
        try:
            yield AppResponse(
                answer.status_code,
                tuple(answer.headers.multi_items()),
                self._body(answer),
            )
        finally:
            await answer.aclose()

    async def _body(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        except httpx.TransportError as error:
            raise self._unavailable(answer.url, error) from error

    def _unavailable(self, url: httpx.URL, error: Exception) -> BackendUnavailable:
        # Without what may be secret.
        shown = url.copy_with(userinfo=b"", raw_path=b"/")
        return BackendUnavailable(f"no answer from {shown}: {str(error) or type(error).__name__}")


class HttpServers:
    """The endpoints by their names, and any other server by its URL."""

    def __init__(self, endpoints: Sequence[HttpEndpoint]) -> None:
        self._client = _client(verify=True)
        self._clients = [self._client]
        self._named: dict[str, HttpServer] = {}
        for endpoint in endpoints:
            self._named[endpoint.name] = self._server(endpoint)

    def named(self, name: str) -> HttpServer | None:
        """Return an endpoint, None if there is none of this name."""
        return self._named.get(name)

    def at(self, url: str) -> HttpServer:
        """Return the server of a URL."""
        return HttpServer(url, {}, self._client)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()

    def _server(self, endpoint: HttpEndpoint) -> HttpServer:
        try:
            headers = {name: str(_read(value)) for name, value in endpoint.headers.items()}
            httpx.Headers(headers)
            httpx.URL(endpoint.base_url)
            pems = [
                str(_read(value))
                for value in (endpoint.root_ca, endpoint.certificate, endpoint.private_key)
            ]
            verify = client_context(*pems)
        except (OSError, ValueError, httpx.InvalidURL, ConfigurationError) as error:
            reason = error.reason if isinstance(error, ssl.SSLError) else error
            raise ConfigurationError(
                f"{endpoint.label} cannot be used: {reason}. Correct its document."
            ) from error
        client = self._client
        if verify is not True:
            client = _client(verify=verify)
            self._clients.append(client)
        return HttpServer(endpoint.base_url.rstrip("/"), headers, client)


def _client(*, verify: ssl.SSLContext | bool) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=verify,
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=_IDLE_CONNECTIONS),
        mounts=dict.fromkeys(_DIRECT),
        follow_redirects=False,
    )


def _read(value: object) -> object:
    return value.read() if isinstance(value, SecretRef) else value
