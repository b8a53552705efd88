"""A server: the components, with the HTTP and gRPC APIs in front of them. They only translate."""

from flowyard.server.grpc.server import serve_grpc
from flowyard.server.server import ServerOptions, open_server

__all__ = ["ServerOptions", "open_server", "serve_grpc"]
