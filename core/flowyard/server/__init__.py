"""A server: the components, with the HTTP and gRPC APIs in front of them. They only translate."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowyard.executors.remote import RemoteExecutors
    from flowyard.server.grpc.server import serve_grpc
    from flowyard.server.http.server import Address
    from flowyard.server.server import Served, ServerOptions, open_server

__all__ = ["Address", "RemoteExecutors", "Served", "ServerOptions", "open_server", "serve_grpc"]

_MODULES = {
    "Address": "flowyard.server.http.server",
    "RemoteExecutors": "flowyard.executors.remote",
    "serve_grpc": "flowyard.server.grpc.server",
}


def __getattr__(name: str) -> object:
    # Lazy: commands that serve nothing read the defaults here, and shall not load the libraries.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES.get(name, "flowyard.server.server")), name)
