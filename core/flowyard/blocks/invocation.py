"""Service invocation: whom a call is for, and what of it goes there (docs/protocol.md §18)."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from flowyard.blocks.app_channel import AppChannel, AppRequest
from flowyard.errors import InvalidRequest, InvocationFailed

# Lazy where it is used: most programs call nobody.
if TYPE_CHECKING:
    from flowyard.blocks.http_servers import HttpServers
    from flowyard.config import HttpEndpoint

TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - the name of the header
# What is said from one end of a connection to the other, and no further.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Of a request besides: what we have answered, and what is for us alone.
_OURS = frozenset({"destination-app-id", "expect", "host", TOKEN_HEADER})
_URL = re.compile(r"(https?):/{1,2}([^/?#][^?#]*)", re.IGNORECASE)
_NOT_IN_PATHS = re.compile(r"[\x00-\x1f\x7f?#]")
# What a path may have as it is; anything else is encoded.
_SAFE = "/:@!$&'()*+,;=~-._"


class Invocation:
    """The application itself, the HTTPEndpoints, and any URL; `open` makes one.

    Args:
        app_id: The application that is served.
        servers: What is called over HTTP.

    Attributes:
        app: The way to the application itself; None, as at first, where it takes no calls.
    """

    def __init__(self, app_id: str, servers: HttpServers | None = None) -> None:
        self.app_id = app_id
        self.app: AppChannel | None = None
        self._servers = servers
        self._stack = AsyncExitStack()

    @staticmethod
    @asynccontextmanager
    async def open(app_id: str, endpoints: Sequence[HttpEndpoint]) -> AsyncIterator[Invocation]:
        """Give the invocation of an application, and close its connections afterwards."""
        invocation = Invocation(app_id)
        async with invocation._stack:
            if endpoints:
                await invocation._open_servers(endpoints)
            yield invocation

    async def find(self, target: str) -> AppChannel | None:
        """Return the way to an application, an HTTPEndpoint or a URL; None if it is not known.

        Raises `InvocationFailed` where it is the application itself, and it takes no calls.
        """
        if self._is_own(target):
            if self.app is None:
                reason = "cannot invoke local endpoint: app channel not initialized. Start "
                raise InvocationFailed(target, f"{reason}flowyard serve with --app-port.")
            return self.app
        if self._servers is not None and (found := self._servers.named(target)) is not None:
            return found
        if url := url_of(target):
            servers = self._servers or await self._open_servers(())
            return servers.at(url)
        return None

    async def ask(
        self,
        target: str,
        verb: str,
        method: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, dict[str, str], bytes]:
        """Call a method, and return the status, the headers and the whole body of the answer."""
        channel = await self.find(target)
        if channel is None:
            raise InvocationFailed(
                target,
                "no HTTPEndpoint of this name is here. Add a document of kind HTTPEndpoint to the "
                "components, or give a URL.",
            )
        path = method_path(method, query)
        request = AppRequest(verb, path, request_headers(headers.items()), body)
        async with channel.call(request) as answer:
            told = dict(passed_on(answer.headers))
            return answer.status, told, b"".join([chunk async for chunk in answer.body])

    async def _open_servers(self, endpoints: Sequence[HttpEndpoint]) -> HttpServers:
        from flowyard.blocks.http_servers import HttpServers

        self._servers = HttpServers(endpoints)
        self._stack.push_async_callback(self._servers.close)
        return self._servers

    def _is_own(self, target: str) -> bool:
        namespace = os.environ.get("NAMESPACE") or "default"
        return target in {self.app_id, f"{self.app_id}.{namespace}"}


def url_of(target: str) -> str:
    """Return the URL that a target is, without the last slash; empty if it is none."""
    found = _URL.fullmatch(target)
    # Who cleans a path takes one of the slashes away.
    return f"{found[1].lower()}://{found[2].rstrip('/')}" if found is not None else ""


def method_path(method: str, query: str = "") -> str:
    """Return the path of a method, which may be encoded, with its query.

    Raises `InvalidRequest` where it leads elsewhere, or has what a path cannot have.
    """
    try:
        decoded = unquote(method, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the method '{method}' is not text: {error}") from error
    parts = [part for part in decoded.split("/") if part not in {"", "."}]
    if ".." in parts or _NOT_IN_PATHS.search(decoded):
        raise InvalidRequest(
            f"the method {method!r} is not valid: it must have no '..', '?', '#' and no control "
            "characters"
        )
    last = "/" if parts and decoded.endswith("/") else ""
    path = f"/{quote('/'.join(parts), safe=_SAFE)}{last}"
    return f"{path}?{query}" if query else path


def passed_on(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of an answer that go on to the caller."""
    given = [(name.lower(), value) for name, value in headers]
    named = {
        token.strip().lower()
        for name, value in given
        if name == "connection"
        for token in value.split(",")
    }
    dropped = _HOP_BY_HOP | named
    return [(name, value) for name, value in given if name not in dropped]


def request_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers of a caller that go on to whom it calls, never with its token."""
    sent: dict[str, str] = {}
    for name, value in passed_on(headers):
        if name in _OURS or name.endswith("-bin"):
            continue
        between = "; " if name == "cookie" else ", "
        sent[name] = f"{sent[name]}{between}{value}" if name in sent else value
    return sent
