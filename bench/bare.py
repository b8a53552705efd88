"""Bare handlers of the server libraries: what an HTTP or gRPC call costs that does nothing."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import grpc.aio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PATH = "/constant"
SERVICE, METHOD = "bench.Bare", "Constant"
_ANSWER = {"instanceID": "one", "workflow": "echo", "status": "COMPLETED"}


async def constant(_: Request) -> JSONResponse:
    """Answer over HTTP."""
    return JSONResponse(_ANSWER)


async def constant_bytes(_: bytes, __: object) -> bytes:
    """Answer over gRPC."""
    return b"constant"


async def main() -> None:
    """Serve both, in the set-up that `flowyard serve` has, and print where."""
    handlers: dict[str, Any] = {METHOD: grpc.unary_unary_rpc_method_handler(constant_bytes)}
    grpc_server = grpc.aio.server()
    grpc_server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    grpc_port = grpc_server.add_insecure_port("127.0.0.1:0")
    await grpc_server.start()

    settings: dict[str, Any] = {"lifespan": "off", "ws": "none", "log_config": None}
    settings |= {"access_log": False, "date_header": False, "server_header": False}
    config = uvicorn.Config(
        Starlette(routes=[Route(PATH, constant)]), proxy_headers=False, **settings
    )
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        # As on a socket that uvicorn opens: or a second packet waits for the first's receipt.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        http = f"127.0.0.1:{listener.getsockname()[1]}"
        print(json.dumps({"http": http, "grpc": f"127.0.0.1:{grpc_port}"}), flush=True)
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main())
