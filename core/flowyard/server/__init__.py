"""A server: the components, with the HTTP and gRPC APIs in front of them. They only translate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowyard.server.grpc.server import serve_grpc
    from flowyard.server.server import ServerOptions, open_server

__all__ = ["ServerOptions", "open_server", "serve_grpc"]


def __getattr__(name: str) -> object:
    # Lazy: commands that serve nothing read the defaults here, and shall not load the libraries.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "serve_grpc":
        from flowyard.server.grpc import server as of_grpc

        return getattr(of_grpc, name)
    from flowyard.server import server

    return getattr(server, name)
