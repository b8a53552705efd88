"""HTTP servers that applications may call by a name: documents of kind HTTPEndpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KIND = "HTTPEndpoint"


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """One HTTP server that service invocation knows by its name.

    Attributes:
        name: The name that callers use.
        base_url: The URL before the path of a call; it begins with `http://` or `https://`.
        headers: What each call carries besides, as text or as a `SecretRef`; nothing by default.
        root_ca: The certificate authorities that are trusted, as PEM text or the path of a file;
            the usual ones by default.
        certificate: The client's certificate, in the same way; none by default.
        private_key: The key of the certificate, in the same way, or as a `SecretRef`.
        source: The file that it was read from, for messages; None, the default, from code.
        scopes: The applications that may use it, by their IDs; all of them by default.
    """

    name: str
    base_url: str
    headers: Mapping[str, object] = field(default_factory=dict, repr=False)
    root_ca: object = field(default="", repr=False)
    certificate: object = field(default="", repr=False)
    private_key: object = field(default="", repr=False)
    source: Path | None = None
    scopes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How messages call it: its file and its name."""
        named = f"{KIND} '{self.name}'"
        return f"{self.source}: {named}" if self.source is not None else named
