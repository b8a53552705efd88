"""`bindings.postgresql`: statements for a PostgreSQL server (docs/protocol.md §17)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, NonNegativeInt, SecretStr
from pydantic.alias_generators import to_camel

from flowyard.backend import (
    Binding,
    BindingCapability,
    BindingRequest,
    BindingResponse,
    Clock,
    ComponentContext,
    ComponentType,
    ConfigurationError,
    InvalidRequest,
    Machine,
    hookimpl,
    to_datetime,
)
from flowyard_blocks.bindings.sql_values import read_parameters, rfc3339, written_rows
from flowyard_blocks.durations import Seconds

if TYPE_CHECKING:
    from flowyard_blocks.bindings.connections import Connections


class PostgresSettings(BaseModel):
    """Which database, and how many connections there may be."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)

    connection_string: SecretStr = Field(
        validation_alias=AliasChoices("connectionString", "url"), min_length=1
    )
    max_conns: NonNegativeInt = 0
    connection_max_idle_time: Seconds = timedelta(minutes=30)
    timeout: Seconds = timedelta(seconds=20)


class PostgresBinding(Binding):
    """One database."""

    def __init__(self, name: str, connections: Connections, clock: Clock, machine: Machine) -> None:
        super().__init__(name)
        self._connections = connections
        self._clock = clock
        self._machine = machine

    @property
    def operations(self) -> frozenset[str]:
        return frozenset({"exec", "query"})

    async def invoke(self, request: BindingRequest) -> BindingResponse:
        sql = request.metadata.get("sql")
        if not sql:
            raise InvalidRequest("required metadata not set: sql")
        if "\0" in sql:
            # The library would send what stands before it.
            raise InvalidRequest("metadata 'sql' has a NUL character")
        parameters = read_parameters(request.metadata.get("params", ""))
        began, since = self._now(), self._machine.monotonic()
        affected, rows = await self._connections.run(
            sql, parameters, wants_rows=request.operation == "query"
        )
        told = {
            "operation": request.operation,
            "sql": sql,
            "start-time": began,
            "end-time": self._now(),
            "duration": f"{(self._machine.monotonic() - since) * 1000:.3f}ms",
        }
        if rows is None:
            return BindingResponse(b"", {**told, "rows-affected": str(max(0, affected))})
        return BindingResponse(written_rows(rows), told)

    def _now(self) -> str:
        return rfc3339(to_datetime(self._clock.now()))


@asynccontextmanager
async def open_postgres(
    settings: PostgresSettings, context: ComponentContext
) -> AsyncIterator[PostgresBinding]:
    """Open the component; raise `ConfigurationError` where its library is not installed."""
    try:
        # Lazy: only this component needs the library.
        from flowyard_blocks.bindings.connections import Connections
    except ImportError as error:
        raise ConfigurationError(
            f"component '{context.name}' needs psycopg, which cannot be imported: {error}. "
            "Install it with: pip install 'flowyard[postgres]'"
        ) from error
    async with Connections.open(
        context.name,
        settings.connection_string.get_secret_value(),
        most=settings.max_conns or None,
        idle=settings.connection_max_idle_time,
        connect_within=settings.timeout,
        clock=context.machine.monotonic,
    ) as connections:
        yield PostgresBinding(context.name, connections, context.clock, context.machine)


POSTGRESQL = ComponentType(
    name="bindings.postgresql",
    settings=PostgresSettings,
    open=open_postgres,
    capabilities=frozenset({BindingCapability.OUTPUT}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[PostgresSettings, PostgresBinding]:
    """Offer `bindings.postgresql`."""
    return POSTGRESQL
