"""Where a server listens, as it is written in a URL."""

from __future__ import annotations


def location(host: str, port: int) -> str:
    """Return host and port; an IPv6 address, which has colons itself, stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
