"""`flowyard serve`: one server in front of the configured components."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flowyard.api.guard import TOKEN_VARIABLE
from flowyard.api.http_server import Address
from flowyard.api.server import ServerOptions, open_server
from flowyard.app import App
from flowyard.cli import codes, output
from flowyard.cli.options import COMPONENTS, AsJson, ComponentsFile, load_app

# How much longer than its limit a stop may take before it is given up.
_GRACE = 5.0


class LogLevel(StrEnum):
    """From much to little."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def serve(
    components: ComponentsFile = COMPONENTS,
    app: Annotated[
        str | None, typer.Option(metavar="MODULE:APP", help="Run the workflows of this app too.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    http_port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="DAPR_HTTP_PORT", help="0 is any free one.")
    ] = 3500,
    grpc_port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="DAPR_GRPC_PORT", help="0 is any free one.")
    ] = 50001,
    grpc: Annotated[bool, typer.Option(help="Serve workers and clients of SDKs.")] = True,
    worker_component: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose work workers do; else the default's."),
    ] = None,
    app_id: Annotated[
        str, typer.Option(envvar="APP_ID", help="What the metadata call this application.")
    ] = "flowyard",
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve TLS with this certificate (PEM).")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate's key (PEM).")
    ] = None,
    max_body: Annotated[
        int, typer.Option(min=1, metavar="BYTES", help="The largest request or message.")
    ] = 16 * 1024 * 1024,
    drain: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long a stop may take.")
    ] = 10.0,
    allow_unauthenticated: Annotated[
        bool,
        typer.Option(
            "--allow-unauthenticated", help="Serve other machines though there is no token."
        ),
    ] = False,
    log_level: Annotated[
        LogLevel, typer.Option(case_sensitive=False, help="What to log, on standard error.")
    ] = LogLevel.WARNING,
    as_json: AsJson = False,
) -> None:
    """Serve the components over HTTP and gRPC, as Dapr does it, until SIGTERM or Ctrl-C.

    The first signal lets what is under way finish, the second one stops at once. With
    DAPR_API_TOKEN set, callers have to send that token.
    """
    logging.basicConfig(
        level=log_level.value, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    loaded = load_app(app) if app is not None else None
    options = ServerOptions(
        components=components,
        # An IPv6 address may stand in brackets, as it does in a URL.
        http=Address(host.strip("[]"), http_port, tls_cert, tls_key, drain),
        grpc_port=grpc_port if grpc else None,
        worker_component=worker_component,
        token=os.environ.get(TOKEN_VARIABLE) or None,
        app_id=app_id,
        max_body=max_body,
        allow_unauthenticated=allow_unauthenticated,
    )
    asyncio.run(_serve(options, loaded, as_json=as_json))


async def _serve(options: ServerOptions, app: App | None, *, as_json: bool) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with open_server(options, app, stopping) as served:
        names = list(served.runtime.component_types)
        if as_json:
            output.print_json({"http": served.http, "grpc": served.grpc, "components": names})
        else:
            grpc = f" and gRPC on {served.grpc}" if served.grpc is not None else ""
            output.say(f"Serving {', '.join(names)}: HTTP on {served.http}{grpc}")
        await stopping.wait()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        if not as_json:
            output.say("Stopping when what is under way is finished. Once more stops at once.")
        # What is acknowledged is on disk: to stop at once loses nothing.
        overdue = loop.call_later(options.http.drain_seconds + _GRACE, os._exit, codes.TIMED_OUT)
    overdue.cancel()
    if not as_json:
        output.say("Stopped.")
