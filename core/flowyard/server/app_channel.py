"""Calls to the application beside the server, which has opened a port for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from flowyard.blocks.app_channel import AppAway, AppChannel, AppRequest, AppResponse
from flowyard.errors import ConfigurationError
from flowyard.server.address import location

__all__ = ["AppAddress", "AppAway", "AppChannel", "AppRequest", "AppResponse"]

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
