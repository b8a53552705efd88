"""A whole server: the components, and every face in front of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import grpc

from flowyard.backend.executor import Executor, RegisteredExecutor
from flowyard.config import ComponentSpec, load_components
from flowyard.config.configuration_documents import read_configuration, refuse_unenforced
from flowyard.errors import ConfigurationError
from flowyard.executors.remote import RemoteExecutors
from flowyard.runtime import Runtime
from flowyard.server.address import location
from flowyard.server.app import open_app
from flowyard.server.app_channel import AppAddress
from flowyard.server.auth import check_exposure, is_loopback
from flowyard.server.default_engine import (
    DEFAULT_ENGINE,
    NO_WORKFLOW_COMPONENT,
    claim_default_file,
)
from flowyard.server.defaults import OLD_WORKERS_LIMIT
from flowyard.server.grpc.server import serve_grpc
from flowyard.server.grpc_app import GrpcApp
from flowyard.server.grpc_invoke import invocable
from flowyard.server.http.application import HttpOptions
from flowyard.server.http.server import Address, check_certificate, serve_http
from flowyard.server.http_app import HttpApp
from flowyard.server.input_bindings import input_bindings
from flowyard.server.metadata import Extras
from flowyard.server.not_served import Daprd
from flowyard.server.pubsub.grpc_recipient import GrpcRecipient
from flowyard.server.pubsub.http_recipient import HttpRecipient
from flowyard.server.pubsub.subscriptions import Subscribing, Subscriptions
from flowyard.workflow.app import App

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What to serve, where and to whom.

    Attributes:
        components: A file, a folder, or the components themselves; `components.yaml` by default.
            Without a workflow component, the engine on ./flowyard.db is one.
        http: The address and port of HTTP (127.0.0.1:3500 by default; 0 is any free port), the
            certificate and key for TLS (none by default), and how many seconds calls and activities
            under way may take at the end (10). Host, certificate and seconds are gRPC's, too.
        grpc_port: The port of gRPC, to which workers and SDKs connect; 50001 by default, None for
            no gRPC.
        worker_component: The component whose work the workers do; None, the default, for the
            default one.
        token: The token that every call has to carry as `dapr-api-token`; None, the default, lets
            everybody call who can reach the server.
        app_id: The name of this application: in the metadata, in the scopes of components, and
            before the keys of its state; `flowyard` by default.
        app_address: Where the application itself waits for calls of the server; None, the default,
            if it does not.
        max_body: The largest body and message that is taken, in bytes; 16 MiB by default.
        turn_timeout: How long a worker may take to answer a turn, which then goes to another; 60 s
            by default.
        worker_message_bytes: The largest message for a worker that does not say that it takes any;
            4 MiB by default, 0 for no limit.
        allow_unauthenticated: Whether an address that other machines can reach may be served
            without a token; False by default.
        allowed_hosts: Without a token: other names of this server, and hosts whose web pages may
            call it; none by default.
        dapr: A daprd to which every call is forwarded whose component or API is not served here:
            `http://host:3500`, `grpc://host:50001`, or both with a comma between them; None, the
            default, for no daprd.
        dapr_token: The API token that this daprd wants; None, the default, for none.
        configurations: Files of Dapr's Configuration documents, of which a later one replaces what
            an earlier one says; none by default.
        ignore_policies: Whether documents that restrict callers and are not enforced are a line in
            the log; False, the default, makes them an error.
    """

    components: str | Path | Sequence[ComponentSpec] = "components.yaml"
    http: Address = field(default_factory=Address)
    grpc_port: int | None = 50001
    worker_component: str | None = None
    token: str | None = field(default=None, repr=False)
    app_id: str = "flowyard"
    app_address: AppAddress | None = None
    max_body: int = 16 * 1024 * 1024
    turn_timeout: timedelta = timedelta(seconds=60)
    worker_message_bytes: int = OLD_WORKERS_LIMIT
    allow_unauthenticated: bool = False
    allowed_hosts: Sequence[str] = ()
    dapr: str | None = None
    dapr_token: str | None = field(default=None, repr=False)
    configurations: Sequence[str | Path] = ()
    ignore_policies: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """What is served, and where.

    Attributes:
        runtime: The runtime behind the server, for the event loop in which it was opened.
        http: The URL of the HTTP API.
        grpc: The host and port of the gRPC API; None without one.
        notes: What was chosen because the configuration does not say it; nothing by default.
    """

    runtime: Runtime
    http: str
    grpc: str | None
    notes: Sequence[str] = ()


@asynccontextmanager
async def open_server(
    options: ServerOptions, app: App | None, stopping: asyncio.Event
) -> AsyncIterator[Served]:
    """Open the components and serve them by HTTP and gRPC until the end of the block.

    At the end, and once `stopping` is set, both faces refuse new calls and answer what is under
    way, while running activities end, for `drain_seconds` of the address at the most. What was
    opened last ends first: no call comes in while the components commit what they do.

    Args:
        options: What to serve, where and to whom.
        app: The workflows and activities that the server runs itself; None for none: workers run
            them, or nobody.
        stopping: The event that ends the server. A caller who shuts the server down sets it, and so
            may the program. Wait for it in the block.

    Yields:
        The runtime, the URL of HTTP and the `host:port` of gRPC (None without it), as `runtime`,
        `http` and `grpc`.

    Raises:
        ConfigurationError: If a component or the certificate cannot be used, an address cannot be
            had, other machines could reach it without a token, ./flowyard.db is another
            application's, or a document restricts callers in a way that is not enforced.
        ComponentNotFound: If the component for workers is not configured.
        BackendUnavailable: If a backend does not answer.

    Example:
        ```python
        stopping = asyncio.Event()
        async with open_server(ServerOptions(), app, stopping) as served:
            print(f"serving at {served.http}")
            await stopping.wait()
        ```
    """
    address = options.http
    check_exposure(address.host, options.token, allow_unauthenticated=options.allow_unauthenticated)
    check_certificate(address)
    daprd = _daprd(options)
    configuration = read_configuration(options.configurations)
    loaded = load_components(options.components, app_id=options.app_id, fallback=DEFAULT_ENGINE)
    refuse_unenforced((*configuration.unenforced, *loaded.policies), ignore=options.ignore_policies)
    components = configuration.permitted(loaded)
    notes = []
    if DEFAULT_ENGINE in components.specs:
        claim_default_file(options.app_id)
        notes.append(f"{options.components}: {NO_WORKFLOW_COMPONENT}")
    for_workers = components.find(options.worker_component).name
    executors = RemoteExecutors(turn_timeout=options.turn_timeout)
    extras = Extras()

    apps: list[RegisteredExecutor] = []

    def executor(name: str, local: RegisteredExecutor | None) -> Executor | None:
        if local is not None:
            apps.append(local)
        # Nobody would ever take the work of a component that no worker can reach.
        if name != for_workers or options.grpc_port is None:
            return local
        return executors.make(name, local)

    def connected_workers() -> int:
        return 0 if options.grpc_port is None else executors.queue(for_workers).connected

    async with AsyncExitStack() as stack:
        channel: HttpApp | GrpcApp | None = None
        if options.app_address is not None:
            channel = await stack.enter_async_context(
                open_app(options.app_address, options.max_body)
            )
        runtime = await stack.enter_async_context(
            Runtime.open(
                components,
                app,
                executor=executor,
                app_id=options.app_id,
                configuration=replace(configuration, denied=frozenset()),
            )
        )
        if runtime.blocks.invocation is not None:
            runtime.blocks.invocation.app = invocable(channel, options.max_body)
        subscriptions = Subscriptions(runtime.blocks, components.subscriptions)

        def tell(topic: str, number: int) -> None:
            extras[f"undelivered.{topic}"] = str(number)

        subscriptions.deliveries.tell = tell
        grpc_url = None
        if options.grpc_port is not None:
            port = await stack.enter_async_context(
                serve_grpc(
                    runtime,
                    executors,
                    component=for_workers,
                    host=address.host,
                    port=options.grpc_port,
                    app_id=options.app_id,
                    token=options.token,
                    credentials=_credentials(address),
                    max_message_bytes=options.max_body,
                    worker_message_bytes=options.worker_message_bytes,
                    extras=extras,
                    shut_down=stopping.set,
                    stopping=stopping,
                    daprd=daprd,
                    subscriptions=subscriptions,
                )
            )
            grpc_url = location(address.host, port)
        forwarding = None
        if daprd is not None:
            # Lazy: it takes httpx along.
            from flowyard.server.http.forwarding import open_http_forwarding

            forwarding = await stack.enter_async_context(
                open_http_forwarding(daprd, stopping, address.drain_seconds)
            )
        api = HttpOptions(
            options.token,
            options.app_id,
            options.max_body,
            stopping,
            connected_workers,
            extras,
            address.host,
            options.allowed_hosts,
            subscriptions=subscriptions.active,
            app=channel,
            daprd=daprd,
            forwarding=forwarding,
        )
        url = await stack.enter_async_context(serve_http(runtime, address, api))
        await stack.enter_async_context(
            input_bindings(runtime.blocks, channel, options.app_address)
        )
        await stack.enter_async_context(subscriptions.open())
        if channel is not None and options.app_address is not None:
            recipient = _recipient(channel, options.app_address, options)
            serving = asyncio.create_task(subscriptions.serve(recipient))
            stack.callback(serving.cancel)
        elif components.subscriptions and runtime.blocks.brokers:
            logger.warning(
                "%d subscriptions are declared, and no application is there to take their events: "
                "give its port (--app-port)",
                len(components.subscriptions),
            )
        try:
            yield Served(runtime, url, grpc_url, notes)
        finally:
            stopping.set()
            for own in apps:
                own.leave_missing()
            draining = [runtime.component(name).drain() for name in runtime.component_types]
            draining.append(subscriptions.deliveries.drain())
            if options.grpc_port is not None:
                draining.append(executors.queue(for_workers).drain())
            with suppress(TimeoutError):
                async with asyncio.timeout(address.drain_seconds):
                    await asyncio.gather(*draining)


def _daprd(options: ServerOptions) -> Daprd | None:
    if options.dapr is None:
        return None
    daprd = Daprd.parse(options.dapr, options.dapr_token)
    ours = {"http": options.http.port, "grpc": options.grpc_port}
    for face, place in (("http", daprd.http), ("grpc", f"grpc://{daprd.grpc}")):
        url = urlsplit(place or "")
        # What is forwarded to ourselves would be forwarded for ever.
        is_here = is_loopback(url.hostname or "") or url.hostname == options.http.host
        if is_here and url.port is not None and url.port == ours[face]:
            raise ConfigurationError(
                f"--dapr names this server itself: port {url.port} for {face}. Give the daprd or "
                f"this server another port (--{face}-port)."
            )
    return daprd


def _recipient(
    channel: HttpApp | GrpcApp, address: AppAddress, options: ServerOptions
) -> Subscribing:
    if isinstance(channel, HttpApp):
        return HttpRecipient(channel, address, options.app_id, options.max_body)
    return GrpcRecipient(channel, address)


def _credentials(address: Address) -> grpc.ServerCredentials | None:
    if address.certificate is None:
        return None
    certificate = address.certificate.read_bytes()
    key = (address.key or address.certificate).read_bytes()
    return grpc.ssl_server_credentials([(key, certificate)])
