"""What a call carries besides its message, where it comes from or goes to another protocol."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import grpc.aio

from flowyard.blocks.invocation import TOKEN_HEADER

Context = grpc.aio.ServicerContext[Any, Any]

_RESERVED = frozenset({"content-type", "te", "user-agent"})
_KEY = re.compile(r"[0-9a-z_.\-]+")
_TEXT = re.compile(r"[\x20-\x7e]*")


def text_metadata(context: Context) -> list[tuple[str, str]]:
    """Return what the caller has sent that is text and not gRPC's own, without its token."""
    given = context.invocation_metadata() or ()
    return [
        (key, value)
        for key, value in given
        if isinstance(value, str)
        and not key.startswith(("grpc-", ":"))
        and not key.endswith("-bin")
        and key not in _RESERVED
        and key != TOKEN_HEADER
    ]


def sendable(pairs: Iterable[tuple[str, str]], prefix: str = "") -> list[tuple[str, str]]:
    """Return what can be sent; reserved names get `dapr-` before them, as daprd does it."""
    sent: list[tuple[str, str]] = []
    for name, value in pairs:
        key = f"{prefix}{name}".lower()
        if key in _RESERVED or key.startswith("grpc-") or key == "content-length":
            key = f"dapr-{key}"
        if _KEY.fullmatch(key) and not key.endswith("-bin") and _TEXT.fullmatch(value):
            sent.append((key, value))
    return sent
