"""Who may call: the API token, which addresses may be served without one, and web pages."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from flowyard.errors import ConfigurationError
from flowyard.server.defaults import TOKEN_VARIABLE
from flowyard.server.http.endpoints import fault_response, refuse
from flowyard.server.refusals import Refusals
from flowyard.wire.json.errors import Fault

TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - the name of the header


def is_same_token(given: bytes, token: str) -> bool:
    """Compare in a time that does not tell how much was right."""
    return hmac.compare_digest(given, token.encode())


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_exposure(host: str, token: str | None, *, allow_unauthenticated: bool) -> None:
    """Refuse to serve everybody by accident."""
    if is_loopback(host) or token or allow_unauthenticated:
        return
    raise ConfigurationError(
        f"'{host}' can be reached from other machines, and there is no API token. Set "
        f"{TOKEN_VARIABLE}, use 127.0.0.1, or allow it with --allow-unauthenticated."
    )


class TokenGuard:
    """Answers 401 unless the request has the token, as daprd does."""

    def __init__(
        self, app: ASGIApp, token: str, exempt: frozenset[str], refusals: Refusals
    ) -> None:
        self._app = app
        self._token = token
        self._exempt = exempt
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = scope["path"].rstrip("/") not in self._exempt or scope["method"] != "GET"
        given = Headers(scope=scope).get(TOKEN_HEADER)
        if guarded and not is_same_token((given or "").encode("latin-1"), self._token):
            reason = f"the header {TOKEN_HEADER} is missing"
            if given is not None:
                reason = f"the header {TOKEN_HEADER} has another token"
            refuse(self._refusals, scope, Fault(401, "ERR_ACCESS_DENIED", reason))
            await PlainTextResponse("invalid api token", 401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class PageGuard:
    """Keeps the web pages of others away from a server that wants no token.

    A browser sends what any page asks it to send, also to this machine (the header Origin tells),
    and under a name of the page's own that leads to this machine (the header Host tells).
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], *, any_host: bool, refusals: Refusals
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._any_host = any_host
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = self._objection(Headers(scope=scope))
        if reason is None:
            await self._app(scope, receive, send)
            return
        fault = Fault(403, "ERR_ORIGIN_REFUSED", reason)
        refuse(self._refusals, scope, fault)
        await fault_response(fault)(scope, receive, send)

    def _objection(self, headers: Headers) -> str | None:
        host, origin = _host_of(f"//{headers.get('host', '')}"), headers.get("origin")
        if host and not (self._any_host or self._is_ours(host)):
            return (
                f"the host '{host}' is not this machine. Call 127.0.0.1 or localhost, set "
                f"{TOKEN_VARIABLE}, or name it with --allowed-host."
            )
        if origin is not None and not self._is_own_page(_host_of(origin), host):
            return (
                f"the page {origin} may not call a server without a token. Set {TOKEN_VARIABLE}, "
                "or name its host with --allowed-host."
            )
        return None

    def _is_ours(self, host: str) -> bool:
        return is_loopback(host) or host in self._hosts

    def _is_own_page(self, origin: str, host: str) -> bool:
        return bool(origin) and (self._is_ours(origin) or (self._any_host and origin == host))


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:
        return "?"
