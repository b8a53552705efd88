"""Calls to the application beside the server, which has opened a port for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from flowyard.errors import BackendUnavailable, ConfigurationError
from flowyard.server.address import location

_SERVED = ("http", "https", "grpc")
_DAPRS_OTHERS = ("grpcs", "h2c")


@dataclass(frozen=True, slots=True)
class AppAddress:
    """Where the application waits for calls.

    Attributes:
        port: The port that it listens on.
        protocol: What it speaks there: `http` (the default), `https` or `grpc`.
        host: The name or address of its machine; 127.0.0.1, this machine, by default.
        max_concurrency: How many calls it gets at once; 0, the default, or less for any number.
        token: What it wants to be told as `dapr-api-token`; None, the default, for nothing.
    """

    port: int
    protocol: str = "http"
    host: str = "127.0.0.1"
    max_concurrency: int = 0
    token: str | None = field(default=None, repr=False)

    @property
    def location(self) -> str:
        """The host and the port, as they stand in a URL."""
        return location(self.host, self.port)

    def check(self) -> None:
        """Raise `ConfigurationError` if its protocol is none that is spoken here."""
        if self.protocol in _SERVED:
            return
        known = self.protocol in _DAPRS_OTHERS
        why = "is one of Dapr's that Flowyard does not speak" if known else "is not known"
        raise ConfigurationError(
            f"the protocol '{self.protocol}' of the application {why}. Use --app-protocol http, "
            "https or grpc."
        )


@dataclass(frozen=True, slots=True)
class AppRequest:
    """A call of the application. `path` begins with a slash, and may have a query behind it."""

    verb: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""


@dataclass(frozen=True, slots=True)
class AppResponse:
    """What it answers. The body comes as it is sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: AsyncIterator[bytes]


class AppAway(BackendUnavailable):
    """Nobody listens where the application should: it has not got the request."""


class AppChannel(Protocol):
    """The application, over the protocol that it speaks."""

    def call(self, request: AppRequest) -> AbstractAsyncContextManager[AppResponse]:
        """Send a request; raises `BackendUnavailable` if nobody answers.

        It is an `AppAway` if nobody is there. What the application is always told goes with the
        request: the token that it expects.
        """
        ...
