"""The gRPC face: Dapr's management methods and the task hub of its workflow SDKs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import grpc
import grpc.aio

from flowyard.errors import ConfigurationError
from flowyard.executors.remote import RemoteExecutors
from flowyard.executors.work_queue import WorkQueue
from flowyard.runtime import Runtime
from flowyard.server.address import location
from flowyard.server.defaults import OLD_WORKERS_LIMIT
from flowyard.server.grpc.answers import AnswerService
from flowyard.server.grpc.bindings import BindingsService
from flowyard.server.grpc.blocks import UnservedMethods
from flowyard.server.grpc.forwarding import GrpcForwarding, open_grpc_forwarding
from flowyard.server.grpc.gate import Gate
from flowyard.server.grpc.invocation import InvocationService
from flowyard.server.grpc.management import ManagementService
from flowyard.server.grpc.methods import Methods, Router
from flowyard.server.grpc.propagation import Propagation
from flowyard.server.grpc.pubsub import PubSubService
from flowyard.server.grpc.secrets import SecretsService
from flowyard.server.grpc.starts import Starts
from flowyard.server.grpc.state import StateService
from flowyard.server.grpc.taskhub import TaskHubClientService
from flowyard.server.grpc.worker import WorkerService
from flowyard.server.metadata import Extras
from flowyard.server.not_served import Daprd
from flowyard.server.ports import await_port
from flowyard.server.pubsub.subscriptions import Subscriptions
from flowyard.server.refusals import Refusals

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_PENDING_BYTES = 1024 * 1024 * 1024
PING_SECONDS = 30.0

_MOST = 2**31 - 1
# What is too large is refused by us, who know whose it is, and not by the transport, which then
# breaks off the stream of a worker; up to what would be an attack.
_TRANSPORT_LIMIT = 256 * 1024 * 1024
_HEADERS = 64 * 1024
# How long those that wait have to hear at the end what has become of their calls.
_LAST_ANSWERS_SECONDS = 1.0


@asynccontextmanager
async def serve_grpc(
    runtime: Runtime,
    executors: RemoteExecutors,
    *,
    component: str | None = None,
    host: str = "127.0.0.1",
    port: int = 50001,
    app_id: str = "flowyard",
    token: str | None = None,
    credentials: grpc.ServerCredentials | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    max_pending_bytes: int = MAX_PENDING_BYTES,
    worker_message_bytes: int = OLD_WORKERS_LIMIT,
    grace_seconds: float = 10.0,
    ping_seconds: float = PING_SECONDS,
    keepalive_seconds: float = 30.0,
    keepalive_timeout_seconds: float = 10.0,
    extras: Extras | None = None,
    shut_down: Callable[[], None] | None = None,
    stopping: asyncio.Event | None = None,
    daprd: Daprd | None = None,
    subscriptions: Subscriptions | None = None,
) -> AsyncIterator[int]:
    """Serve Dapr's gRPC methods until the end of the block.

    Workers and clients of SDKs, whose protocol names no component, get the given one or the
    default.

    Args:
        runtime: The open runtime that callers reach.
        executors: The executors with which the runtime was opened.
        component: The component whose work the workers do; None for the default one.
        host: The address to listen on; 127.0.0.1 by default.
        port: The port to listen on; 50001 by default, 0 for any free one.
        app_id: The name of this application in the metadata; `flowyard` by default.
        token: The token that every call has to carry as `dapr-api-token`; without one, everybody
            may call.
        credentials: The certificate and key for TLS; without them nothing is encrypted.
        max_message_bytes: The largest message that is taken; 16 MiB by default. What a worker
            answers with more fails its activity, or its instance.
        max_pending_bytes: The memory that all calls under way may take together, 1 GiB by default;
            further calls are refused with RESOURCE_EXHAUSTED, but never the answers of workers.
        worker_message_bytes: The largest message for a worker that does not say that it takes any
            (SDKs before 1.19, except for .NET); 4 MiB by default, 0 for no limit.
        grace_seconds: How long, at the end, workers have to answer what they have in hand, and the
            host to make it durable; 10 by default. No more work goes out meanwhile.
        ping_seconds: The time between two pings to a worker that asks for them; 30 by default.
        keepalive_seconds: How long a connection may be silent before its other end is asked for a
            sign of life; 30 by default.
        keepalive_timeout_seconds: How long that sign may take, 10 by default. Then the connection
            is dropped, and the work of its worker goes to others.
        extras: Further values for the metadata; none by default.
        shut_down: Called by the method Shutdown, which is refused without it.
        stopping: Once it is set, new calls are refused, and only the answers of workers are taken.
            Whoever sets it has to drain the queue before the block ends, and `grace_seconds` has no
            effect.
        daprd: The daprd to which calls are forwarded that are not served here; None, the default,
            for none.
        subscriptions: What streams of events are added to; by default they are the only ones.

    Yields:
        The port, which the system chooses for port 0.

    Raises:
        ConfigurationError: If the address cannot be had.
        ComponentNotFound: If the component is not configured.

    Example:
        ```python
        from flowyard.executors.remote import RemoteExecutors

        executors = RemoteExecutors()
        async with (
            Runtime.open("components.yaml", executor=executors.make) as runtime,
            serve_grpc(runtime, executors) as port,
        ):
            await asyncio.Event().wait()
        ```
    """
    queue = executors.queue(runtime.component(component).name)
    refusals = _refusals()
    async with open_grpc_forwarding(daprd, refusals) as forwarding:
        router = route(
            runtime,
            queue,
            component=component,
            app_id=app_id,
            token=token,
            max_message_bytes=max_message_bytes,
            max_pending_bytes=max_pending_bytes,
            worker_message_bytes=worker_message_bytes,
            ping_seconds=ping_seconds,
            extras=extras,
            shut_down=shut_down,
            stopping=stopping,
            daprd=daprd,
            forwarding=forwarding,
            refusals=refusals,
            subscriptions=subscriptions,
        )
        server = grpc.aio.server(
            options=_options(max_message_bytes, keepalive_seconds, keepalive_timeout_seconds)
        )
        server.add_generic_rpc_handlers((router,))
        bound = await _listen(server, host, port, credentials)
        await server.start()
        try:
            yield bound
        finally:
            if stopping is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(grace_seconds):
                        await queue.drain()
            queue.close()
            await server.stop(min(grace_seconds, _LAST_ANSWERS_SECONDS))


async def _listen(
    server: grpc.aio.Server, host: str, port: int, credentials: grpc.ServerCredentials | None
) -> int:
    address = location(host, port)
    await await_port(host, port)
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise ConfigurationError(
            f"cannot listen for gRPC on {address}: {error}. Choose another port."
        ) from error


def _refusals() -> Refusals:
    return Refusals(logger, clock=asyncio.get_running_loop().time)


def route(
    runtime: Runtime,
    queue: WorkQueue,
    *,
    component: str | None = None,
    app_id: str = "flowyard",
    token: str | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    max_pending_bytes: int = MAX_PENDING_BYTES,
    worker_message_bytes: int = OLD_WORKERS_LIMIT,
    ping_seconds: float = PING_SECONDS,
    extras: Extras | None = None,
    shut_down: Callable[[], None] | None = None,
    stopping: asyncio.Event | None = None,
    daprd: Daprd | None = None,
    forwarding: GrpcForwarding | None = None,
    refusals: Refusals | None = None,
    subscriptions: Subscriptions | None = None,
) -> Router:
    """Return what finds the method for a call, over whatever the call has come; see `serve_grpc`.

    `queue` is where the workers of the component get their work.
    """
    refusals = refusals or _refusals()
    unserved = UnservedMethods(refusals, forwarding, daprd, runtime.blocks.unserved)
    methods = Methods(max_message_bytes, max_pending_bytes, refusals, unserved)
    starts = Starts(runtime, component)
    propagation = Propagation(runtime, component, app_id)
    subscriptions = subscriptions or Subscriptions(runtime.blocks, ())
    pubsub = PubSubService(runtime, subscriptions)
    services: tuple[grpc.GenericRpcHandler, ...] = (
        methods.taskhub(
            WorkerService(queue, ping_seconds, worker_message_bytes, app_id, propagation),
            AnswerService(queue, max_message_bytes, app_id, starts, refusals),
            TaskHubClientService(runtime, component, app_id, starts),
        ),
        methods.management(
            ManagementService(
                runtime,
                app_id,
                lambda: queue.connected,
                starts,
                extras,
                shut_down,
                subscriptions.active,
            )
        ),
        methods.state(StateService(runtime.blocks)),
        methods.secrets(SecretsService(runtime.blocks)),
        methods.bindings(BindingsService(runtime.blocks)),
        methods.invocation(InvocationService(runtime.blocks.invocation, max_message_bytes)),
        methods.publishing(pubsub),
        methods.subscribing(pubsub),
        unserved,
    )
    if stopping is not None:
        services = tuple(Gate(service, stopping) for service in services)
    return Router(services, token, refusals)


def _options(
    max_message_bytes: int, keepalive_seconds: float, keepalive_timeout_seconds: float
) -> list[tuple[str, int]]:
    """Return what the transport is told; its defaults are nobody's choice."""
    timeout_ms = int(keepalive_timeout_seconds * 1000)
    return [
        ("grpc.so_reuseport", 0),  # a port in use is an error, not to be shared
        ("grpc.max_receive_message_length", max(_TRANSPORT_LIMIT, 2 * max_message_bytes)),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", _HEADERS),
        ("grpc.absolute_max_metadata_size", _HEADERS),
        # Calls wait here until we take them; the transport would drop some at random, those of
        # workers too, from 1,000 on or after 30 s.
        ("grpc.max_concurrent_streams", _MOST),
        ("grpc.server.max_pending_requests", _MOST),
        ("grpc.server.max_pending_requests_hard_limit", _MOST),
        ("grpc.server_max_unrequested_time_in_server", 24 * 3600),
        # A peer that went without a word is found out, and its work goes to another. The second
        # time-out is the one that counts: the pings of keep-alive are ordinary ones.
        ("grpc.keepalive_time_ms", int(keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", timeout_ms),
        ("grpc.http2.ping_timeout_ms", timeout_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        # A peer that asks for signs of life too often is answered, not hung up on.
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]
