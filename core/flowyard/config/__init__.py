"""components.yaml: which components there are, which is the default, and their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowyard.config.components import Components, ComponentSpec, load_components, resolve
from flowyard.config.secrets import SecretRef

if TYPE_CHECKING:
    from flowyard.config.http_endpoints import HttpEndpoint

__all__ = ["ComponentSpec", "Components", "HttpEndpoint", "SecretRef", "load_components", "resolve"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # Lazy: few programs have one.
        if name != "HttpEndpoint":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from flowyard.config.http_endpoints import HttpEndpoint

        return HttpEndpoint
