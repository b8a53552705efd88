"""`bindings.http`: requests to one HTTP server (docs/protocol.md §17)."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Literal

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel

from flowyard.backend import (
    BackendUnavailable,
    Binding,
    BindingCapability,
    BindingFailed,
    BindingRequest,
    BindingResponse,
    ComponentContext,
    ComponentType,
    ConfigurationError,
    InvalidRequest,
    client_context,
    hookimpl,
)
from flowyard_blocks.durations import Seconds

_JSON = "application/json; charset=utf-8"
_VERBS = {
    "create": "POST",
    **{
        verb.lower(): verb
        for verb in ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
    },
}
_WITH_BODY = frozenset({"PATCH", "POST", "PUT"})
_TRACING = ("traceparent", "tracestate", "baggage")
# What Go's client does not send to another host either.
_SECRET_HEADERS = frozenset({"authorization", "cookie", "cookie2", "www-authenticate"})
_MOST_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONNECT_SECONDS = 15.0
_SIZE = re.compile(r"(\d+)(Ki|Mi|Gi|k|M|G)?")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise ValueError("not a size such as 100Mi")
    return int(found[1]) * _UNITS[found[2] or ""]


class HttpSettings(BaseModel):
    """Which server is called, and how."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)

    url: str = Field(
        pattern=r"^https?://", description="a URL that begins with http:// or https://"
    )
    mtls_root_ca: str = Field("", alias="MTLSRootCA")
    mtls_client_cert: str = Field("", alias="MTLSClientCert")
    mtls_client_key: SecretStr = Field(SecretStr(""), alias="MTLSClientKey")
    mtls_renegotiation: Literal["RenegotiateNever"] = Field(
        "RenegotiateNever", alias="MTLSRenegotiation"
    )
    security_token: SecretStr = SecretStr("")
    security_token_header: str = ""
    response_timeout: Seconds = timedelta(0)
    max_response_body_size: Annotated[int, BeforeValidator(_bytes)] = 100 * 2**20
    error_if_not_2xx: bool = Field(True, alias="errorIfNot2XX")

    @model_validator(mode="after")
    def _has_both(self) -> HttpSettings:
        if bool(self.mtls_client_cert) != bool(self.mtls_client_key.get_secret_value()):
            raise ValueError("MTLSClientCert and MTLSClientKey are given together")
        return self


class HttpBinding(Binding):
    """One server over HTTP."""

    def __init__(self, name: str, settings: HttpSettings, client: httpx.AsyncClient) -> None:
        super().__init__(name)
        self._settings = settings
        self._client = client

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(_VERBS)

    async def invoke(self, request: BindingRequest) -> BindingResponse:
        verb = _VERBS[request.operation]
        url = self._url(request.metadata)
        is_strict = self._is_strict(request.metadata)
        body = request.data if verb in _WITH_BODY else None
        try:
            headers = self._headers(request.metadata, has_body=body is not None)
            first = self._client.build_request(verb, url, headers=headers, content=body)
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise InvalidRequest(f"the request cannot be sent: {error}") from error
        seconds = self._settings.response_timeout.total_seconds() or None
        try:
            async with asyncio.timeout(seconds):
                data, metadata, status = await self._send(first)
        except httpx.LocalProtocolError as error:
            # The reason may quote a token.
            raise InvalidRequest("the name or the value of a header cannot be sent") from error
        except (TimeoutError, httpx.HTTPError) as error:
            reason = str(error) or type(error).__name__
            if isinstance(error, TimeoutError):
                reason = f"it took longer than responseTimeout ({seconds:g} s)"
            raise BackendUnavailable(
                f"no answer to {verb} {_shown(first.url)}: {reason}"
            ) from error
        if is_strict and status // 100 != 2:
            raise BindingFailed(f"received status code {status}", metadata)
        return BindingResponse(data, metadata)

    async def _send(self, request: httpx.Request) -> tuple[bytes, dict[str, str], int]:
        for _ in range(_MOST_REDIRECTS):
            answer = await self._client.send(request, stream=True)
            try:
                following = self._following(request, answer)
                if following is None:
                    return await self._read(answer), _metadata(answer), answer.status_code
            finally:
                await answer.aclose()
            request = following
        raise BindingFailed(f"stopped after {_MOST_REDIRECTS} redirects")

    def _following(self, request: httpx.Request, answer: httpx.Response) -> httpx.Request | None:
        """Return the request that a redirect asks for, as Go's client makes it; None without."""
        location = answer.headers.get("location")
        if answer.status_code not in _REDIRECTS or not location:
            return None
        try:
            url = request.url.join(location)
        except (httpx.InvalidURL, ValueError) as error:
            raise BindingFailed("the server redirects to what is no URL") from error
        if url.scheme not in {"http", "https"}:
            raise BindingFailed(f"the server redirects to the scheme '{url.scheme}'")
        verb, body = request.method, request.content
        if answer.status_code in {301, 302, 303} and verb not in {"GET", "HEAD"}:
            verb, body = "GET", b""
        dropped = {"host", "content-length", "transfer-encoding"}
        if not body:
            dropped |= {"content-type"}
        if not _is_same_server(request.url, url):
            dropped |= {*_SECRET_HEADERS, self._settings.security_token_header.lower()}
        headers = [
            (name, value) for name, value in request.headers.items() if name.lower() not in dropped
        ]
        return self._client.build_request(verb, url, headers=headers, content=body or None)

    async def _read(self, answer: httpx.Response) -> bytes:
        limit = self._settings.max_response_body_size
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.aiter_bytes():
            size += len(chunk)
            if size > limit > 0:
                raise BindingFailed(
                    f"the answer is larger than {limit} bytes: raise maxResponseBodySize"
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _url(self, metadata: Mapping[str, str]) -> str:
        url, path = self._settings.url, metadata.get("path")
        if path is None:
            return url
        joined = f"{url.rstrip('/')}/{path.lstrip('/')}"
        if ".." in joined:
            raise InvalidRequest(f"invalid path: {path}")
        return joined

    def _headers(self, metadata: Mapping[str, str], *, has_body: bool) -> dict[str, str]:
        headers = httpx.Headers({"accept": _JSON})
        if has_body:
            headers["content-type"] = _JSON
        token = self._settings.security_token.get_secret_value()
        if token and self._settings.security_token_header:
            headers[self._settings.security_token_header] = token
        for key, value in metadata.items():
            if key[:1].isupper() or (key in _TRACING and value):
                headers[key] = value.strip()
        return dict(headers)

    def _is_strict(self, metadata: Mapping[str, str]) -> bool:
        for key, value in metadata.items():
            if key.lower() == "errorifnot2xx":
                return value.strip().lower() in {"1", "on", "t", "true", "y", "yes"}
        return self._settings.error_if_not_2xx


def _is_same_server(one: httpx.URL, other: httpx.URL) -> bool:
    if one.scheme == "https" and other.scheme != "https":
        return False
    return (one.host, one.port) == (other.host, other.port)


def _metadata(answer: httpx.Response) -> dict[str, str]:
    """Return the status and the headers, under the names that Go gives them."""
    is_decoded = "content-encoding" in answer.headers
    status = f"{answer.status_code} {answer.reason_phrase}".rstrip()
    told = {"statusCode": str(answer.status_code), "status": status}
    for name in answer.headers:
        if is_decoded and name in {"content-encoding", "content-length"}:
            continue
        told["-".join(part.capitalize() for part in name.split("-"))] = answer.headers[name]
    return told


def _shown(url: httpx.URL) -> str:
    """Return a URL without what may be secret in it."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


@asynccontextmanager
async def _open(settings: HttpSettings, context: ComponentContext) -> AsyncIterator[HttpBinding]:
    label = f"component '{context.name}'"
    try:
        httpx.URL(settings.url)
        httpx.Headers({settings.security_token_header or "x": "x"})
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigurationError(f"{label}: url cannot be called: {error}. Correct it.") from error
    try:
        verify = client_context(
            settings.mtls_root_ca,
            settings.mtls_client_cert,
            settings.mtls_client_key.get_secret_value(),
        )
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error
        raise ConfigurationError(
            f"{label}: the certificates cannot be used: {reason}. Give PEM, as text or as the "
            "path of a file, in MTLSRootCA, MTLSClientCert and MTLSClientKey."
        ) from error
    async with httpx.AsyncClient(
        verify=verify,
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS, pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        # Nobody's proxy leads to this machine.
        mounts=dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]")),
        follow_redirects=False,
    ) as client:
        yield HttpBinding(context.name, settings, client)


HTTP = ComponentType(
    name="bindings.http",
    settings=HttpSettings,
    open=_open,
    capabilities=frozenset({BindingCapability.OUTPUT}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[HttpSettings, HttpBinding]:
    """Offer `bindings.http`."""
    return HTTP
