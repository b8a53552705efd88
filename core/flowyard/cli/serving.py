"""`flowyard serve`: one server in front of the configured components."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from flowyard.cli import codes, output
from flowyard.cli.options import COMPONENTS, AsJson, ComponentsFile, load_app
from flowyard.server.defaults import (
    APP_TOKEN_VARIABLE,
    DAPRD_TOKEN_VARIABLE,
    OLD_WORKERS_LIMIT,
    TOKEN_VARIABLE,
)
from flowyard.workflow.app import App

# Lazy where they are used: other commands shall not wait for the server's libraries.
if TYPE_CHECKING:
    from flowyard.server.server import ServerOptions

# How much longer than its limit a stop may take before it is given up.
_GRACE = 5.0
_LEAST_SECONDS_FOR_THREADS = 1.0
# Libraries whose lines at debug would hide ours.
_TALKATIVE = ("grpc", "asyncio", "httpcore", "httpx")

_ADDRESSES = "Addresses"
_APPLICATION = "Application"
_ACCESS = "Access"
_DAPR = "Dapr"
_WORKERS = "Workers"
_LIMITS = "Limits"

logger = logging.getLogger(__name__)


class LogLevel(StrEnum):
    """From much to little."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def serve(
    components: ComponentsFile = COMPONENTS,
    app: Annotated[
        str | None,
        typer.Option(metavar="MODULE:APP", help="An app whose workflows run in this process."),
    ] = None,
    app_id: Annotated[
        str, typer.Option(envvar="APP_ID", help="The ID of this application.")
    ] = "flowyard",
    app_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            envvar="APP_PORT",
            help="The port on which the application takes calls of its sidecar; 0 for none.",
            rich_help_panel=_APPLICATION,
        ),
    ] = 0,
    app_protocol: Annotated[
        str,
        typer.Option(
            envvar="APP_PROTOCOL",
            metavar="PROTOCOL",
            help="What the application speaks there: http, https or grpc.",
            rich_help_panel=_APPLICATION,
        ),
    ] = "http",
    app_channel_address: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="The machine of the application.",
            rich_help_panel=_APPLICATION,
        ),
    ] = "127.0.0.1",
    app_max_concurrency: Annotated[
        int,
        typer.Option(
            metavar="CALLS",
            help="How many calls the application gets at once; -1 for any number.",
            rich_help_panel=_APPLICATION,
        ),
    ] = -1,
    host: Annotated[
        str, typer.Option(help="The address to listen on.", rich_help_panel=_ADDRESSES)
    ] = "127.0.0.1",
    http_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            envvar="DAPR_HTTP_PORT",
            help="The port for HTTP; 0 takes a free one.",
            rich_help_panel=_ADDRESSES,
        ),
    ] = 3500,
    grpc_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            envvar="DAPR_GRPC_PORT",
            help="The port for gRPC; 0 takes a free one.",
            rich_help_panel=_ADDRESSES,
        ),
    ] = 50001,
    grpc: Annotated[
        bool,
        typer.Option(help="Serve workers and clients of SDKs.", rich_help_panel=_ADDRESSES),
    ] = True,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Serve TLS with this certificate (PEM).",
            rich_help_panel=_ADDRESSES,
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The key of the certificate (PEM).", rich_help_panel=_ADDRESSES
        ),
    ] = None,
    allow_unauthenticated: Annotated[
        bool,
        typer.Option(
            "--allow-unauthenticated",
            help="Serve other machines although there is no token.",
            rich_help_panel=_ACCESS,
        ),
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="If there is no token: another name of this server, or the host of a web page "
            "that may call it; repeatable.",
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    dapr: Annotated[
        str | None,
        typer.Option(
            metavar="URL,…",
            help="A daprd that gets the calls for what is not served here: http://HOST:PORT, "
            "grpc://HOST:PORT or both.",
            rich_help_panel=_DAPR,
        ),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A file of Dapr's Configuration documents; repeatable.",
            rich_help_panel=_DAPR,
        ),
    ] = None,
    ignore_policies: Annotated[
        bool,
        typer.Option(
            "--ignore-policies",
            help="Serve although documents restrict callers in a way that is not enforced.",
            rich_help_panel=_DAPR,
        ),
    ] = False,
    worker_component: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The component that workers run workflows for; by default the first one.",
            rich_help_panel=_WORKERS,
        ),
    ] = None,
    turn_timeout: Annotated[
        float,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="How long a worker has to answer a turn.",
            rich_help_panel=_WORKERS,
        ),
    ] = 60.0,
    worker_message: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="BYTES",
            help="The largest message to workers of SDKs before 1.19, except .NET; 0 for any size.",
            rich_help_panel=_WORKERS,
        ),
    ] = OLD_WORKERS_LIMIT,
    max_body: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="BYTES",
            help="The largest request or message that is accepted.",
            rich_help_panel=_LIMITS,
        ),
    ] = 16 * 1024 * 1024,
    drain: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How long running work may take to finish after a stop signal.",
            rich_help_panel=_LIMITS,
        ),
    ] = 10.0,
    log_level: Annotated[
        LogLevel, typer.Option(case_sensitive=False, help="How much to log on standard error.")
    ] = LogLevel.WARNING,
    as_json: AsJson = False,
) -> None:
    """Serve the components over HTTP and gRPC like Dapr's sidecar, until SIGTERM or Ctrl-C.

    The first signal lets running work finish, the second one stops at once. If DAPR_API_TOKEN is
    set, callers and workers have to send that token; DAPR_UPSTREAM_API_TOKEN is that of the daprd.
    """
    from flowyard.server.app_channel import AppAddress
    from flowyard.server.http.server import Address
    from flowyard.server.server import ServerOptions

    logging.basicConfig(
        level=log_level.value, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if log_level is LogLevel.DEBUG:
        for library in _TALKATIVE:
            logging.getLogger(library).setLevel(logging.INFO)
    loaded = load_app(app) if app is not None else None
    options = ServerOptions(
        components=components,
        # An IPv6 address may stand in brackets, as it does in a URL.
        http=Address(host.strip("[]"), http_port, tls_cert, tls_key, drain),
        grpc_port=grpc_port if grpc else None,
        worker_component=worker_component,
        token=os.environ.get(TOKEN_VARIABLE) or None,
        app_id=app_id,
        app_address=AppAddress(
            app_port,
            app_protocol.lower(),
            app_channel_address.strip("[]"),
            app_max_concurrency,
            os.environ.get(APP_TOKEN_VARIABLE) or None,
        )
        if app_port
        else None,
        max_body=max_body,
        turn_timeout=timedelta(seconds=turn_timeout),
        worker_message_bytes=worker_message,
        allow_unauthenticated=allow_unauthenticated,
        allowed_hosts=allowed_host or (),
        dapr=dapr,
        configurations=config or (),
        ignore_policies=ignore_policies,
        dapr_token=os.environ.get(DAPRD_TOKEN_VARIABLE) or None,
    )
    asyncio.run(_serve(options, loaded, as_json=as_json))


async def _serve(options: ServerOptions, app: App | None, *, as_json: bool) -> None:
    from flowyard.server.server import open_server

    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    drain = options.http.drain_seconds
    with _signals(lambda: loop.call_soon_threadsafe(stopping.set)) as stop_at_once:
        async with open_server(options, app, stopping) as served:
            names = [*served.runtime.component_types, *served.runtime.blocks.types]
            if as_json:
                told = {"http": served.http, "grpc": served.grpc, "components": names}
                output.print_json(told | ({"notes": served.notes} if served.notes else {}))
            else:
                grpc = f" and gRPC on {served.grpc}" if served.grpc is not None else ""
                for note in served.notes:
                    output.say(note)
                output.say(f"Serving {', '.join(names)}: HTTP on {served.http}{grpc}")
            await stopping.wait()
            until = loop.time() + drain
            stop_at_once()
            if not as_json:
                output.say("Stopping once running work is finished. A second signal stops at once.")
            # What is acknowledged is on disk: to stop at once loses nothing.
            overdue = loop.call_later(drain + _GRACE, os._exit, codes.TIMED_OUT)
        overdue.cancel()
        if not as_json:
            output.say("Stopped.")
        _leave_threads(max(_LEAST_SECONDS_FOR_THREADS, until - loop.time()))


@contextmanager
def _signals(stop: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Stop at SIGTERM and SIGINT; gives what makes the next one end the process at once.

    Not by the loop's own handler: it is told by a byte through a pipe which others use too, and
    which is full under load. Then the signal would be lost.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def handle(number: int, frame: FrameType | None) -> None:
        stop()

    def set_all(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
        for number in before:
            signal.signal(number, handler)

    set_all(handle)
    try:
        yield lambda: set_all(signal.SIG_DFL)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_threads(seconds: float) -> None:
    """End the process then, though a thread of an activity goes on: none can be stopped.

    Python would wait for it. Its result is not recorded, so that it runs again.
    """

    def leave() -> None:
        logger.warning(
            "An activity still runs in a thread: the process ends without it, and it will run "
            "again."
        )
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
