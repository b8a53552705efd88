"""Who may call: the API token, and which addresses may be served without one."""

from __future__ import annotations

import hmac
import ipaddress

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from flowyard.errors import ConfigurationError

TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - the name of the header
TOKEN_VARIABLE = "DAPR_API_TOKEN"  # noqa: S105 - the name of the variable


def is_same_token(given: bytes, token: str) -> bool:
    """Compare in a time that does not tell how much was right."""
    return hmac.compare_digest(given, token.encode())


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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

    def __init__(self, app: ASGIApp, token: str, exempt: frozenset[str]) -> None:
        self._app = app
        self._token = token
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = scope["path"].rstrip("/") not in self._exempt or scope["method"] != "GET"
        given = Headers(scope=scope).get(TOKEN_HEADER, "").encode("latin-1")
        if guarded and not is_same_token(given, self._token):
            await PlainTextResponse("invalid api token", 401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
