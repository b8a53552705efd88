"""The connection to one namespace of a Temporal server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.namespace.v1 import NamespaceInfo
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig
from temporalio.service import (
    RetryConfig,
    RPCError,
    TLSConfig,
    WorkflowService,
)

from flowyard.backend import BackendUnavailable, ConfigurationError
from flowyard_temporal.errors import error_of, opening_error_of
from flowyard_temporal.settings import TemporalSettings

Q = TypeVar("Q", contravariant=True)
R = TypeVar("R", covariant=True)

# In seconds.
_LINGER = 0.02


class Method(Protocol[Q, R]):
    """A method of Temporal's `WorkflowService`."""

    def __call__(
        self, req: Q, /, retry: bool = ..., *, timeout: timedelta | None = ...
    ) -> Awaitable[R]:
        """Send the request."""
        ...


class Connection:
    """Calls one namespace, and turns what goes wrong into our errors.

    The SDK's own methods for describe, list and query know no paused workflow, so everything goes
    through the raw service.
    """

    def __init__(self, name: str, settings: TemporalSettings, client: Client) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self.where = _where(name, settings)
        self.capabilities = NamespaceInfo.Capabilities()
        self._waiting: set[asyncio.Future[Any]] = set()
        self._is_closed = False
        self.limits = NamespaceInfo.Limits()

    @staticmethod
    @asynccontextmanager
    async def open(name: str, settings: TemporalSettings) -> AsyncIterator[Connection]:
        """Connect; raises `ConfigurationError`, `BackendUnavailable`."""
        try:
            connection = await _connect_in_time(name, settings)
            try:
                yield connection
            finally:
                await connection.close()
        finally:
            # The SDK's threads hold on to Python for a moment after their last answer, and a
            # process that ends in this moment is aborted, or hangs.
            await asyncio.sleep(_LINGER)

    @property
    def namespace(self) -> str:
        """The namespace that everything happens in."""
        return self.settings.namespace

    @property
    def identity(self) -> str:
        """What Temporal shows as the origin of our calls."""
        return self.client.identity

    @property
    def service(self) -> WorkflowService:
        """The raw calls."""
        return self.client.workflow_service

    def execution(self, instance_id: str, run_id: str = "") -> WorkflowExecution:
        """Name a run of an instance, the latest without a run ID."""
        return WorkflowExecution(workflow_id=instance_id, run_id=run_id)

    async def call(self, method: Method[Q, R], request: Q) -> R:
        """Make a call, trying again for a while where that can help.

        Raises `BackendUnavailable`, `InvalidRequest`, `ConfigurationError`, and `Rejected` where
        the caller has to know what an answer means.
        """
        return await self._try(method, request, self.settings.request_timeout)

    async def wait(self, method: Method[Q, R], request: Q, seconds: float) -> R:
        """Make a call that the server answers when something happens; see `call`."""
        answer = asyncio.ensure_future(self._try(method, request, seconds))
        self._waiting.add(answer)
        try:
            return await answer
        except asyncio.CancelledError as error:
            if not self._is_closed:
                raise
            raise BackendUnavailable(
                f"component '{self.name}' was closed: open it again, and repeat the call"
            ) from error
        finally:
            self._waiting.discard(answer)

    async def _try(self, method: Method[Q, R], request: Q, seconds: float) -> R:
        try:
            return await method(request, retry=True, timeout=timedelta(seconds=seconds))
        except RPCError as error:
            raise error_of(error, self.where) from error

    async def close(self) -> None:
        """End what waits; who has called it is told that the component was closed."""
        self._is_closed = True
        waiting = tuple(self._waiting)
        for call in waiting:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _where(name: str, settings: TemporalSettings) -> str:
    return f"component '{name}': Temporal at {settings.host_port}"


async def _connect_in_time(name: str, settings: TemporalSettings) -> Connection:
    try:
        async with asyncio.timeout(settings.connect_timeout):
            return await _connect(name, settings)
    except TimeoutError as error:
        raise BackendUnavailable(
            f"{_where(name, settings)} did not answer within {settings.connect_timeout:g} s "
            "(connectTimeout)"
        ) from error


async def _connect(name: str, settings: TemporalSettings) -> Connection:
    try:
        client = await Client.connect(
            settings.host_port,
            namespace=settings.namespace,
            api_key=settings.api_key.get_secret_value() if settings.api_key else None,
            tls=_tls(name, settings) if settings.uses_tls else False,
            identity=settings.identity,
            runtime=_runtime(),
            connect_timeout=timedelta(seconds=settings.connect_timeout),
            retry_config=RetryConfig(
                max_interval_millis=1000,
                max_elapsed_time_millis=round(settings.request_timeout * 1000),
            ),
        )
    except RuntimeError as error:
        raise opening_error_of(error, _where(name, settings)) from error
    connection = Connection(name, settings, client)
    description = await connection.call(
        connection.service.describe_namespace,
        DescribeNamespaceRequest(namespace=settings.namespace),
    )
    connection.capabilities = description.namespace_info.capabilities
    connection.limits = description.namespace_info.limits
    return connection


@cache
def _runtime() -> Runtime:
    """Return the SDK's runtime, one for the process.

    Its core writes to the standard output, where a program's own output goes, and what it warns of
    is what we tell otherwise. Logging through Python is no way out: a process that ends while
    something is to be logged never ends.
    """
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter="error")))


def _tls(name: str, settings: TemporalSettings) -> TLSConfig:
    key = settings.tls_client_key
    if (settings.tls_client_cert is None) is not (key is None):
        raise ConfigurationError(
            f"component '{name}': keys 'tlsClientCert' and 'tlsClientKey' belong together. "
            "Add the missing one to spec.metadata."
        )
    return TLSConfig(
        server_root_ca_cert=_pem(name, "tlsServerCa", settings.tls_server_ca),
        domain=settings.tls_server_name,
        client_cert=_pem(name, "tlsClientCert", settings.tls_client_cert),
        client_private_key=_pem(name, "tlsClientKey", key.get_secret_value() if key else None),
    )


def _pem(name: str, key: str, value: str | None) -> bytes | None:
    """Return PEM text that is given itself or by the path of its file."""
    if value is None or "-----BEGIN " in value:
        return value.encode() if value is not None else None
    try:
        data = Path(value).read_bytes()
    except (OSError, ValueError) as error:
        # What was meant to be a key must not be shown, and an OSError names its file.
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
        raise ConfigurationError(
            f"component '{name}': key '{key}' is neither PEM text nor the path of a readable "
            f"file: {reason}"
        ) from None
    if b"-----BEGIN " not in data:
        raise ConfigurationError(
            f"component '{name}': the file that key '{key}' names holds no PEM text"
        )
    return data
