"""Calls to an application or to another HTTP server, and what they answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from flowyard.errors import BackendUnavailable


@dataclass(frozen=True, slots=True)
class AppRequest:
    """A call of the application. `path` begins with a slash, and may have a query behind it.

    `type_url` is the type of a body that came over gRPC as a message of its own.
    """

    verb: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
    type_url: str = ""


@dataclass(frozen=True, slots=True)
class AppResponse:
    """What it answers. The body comes as it is sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: AsyncIterator[bytes]
    type_url: str = ""


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
