"""`state.in-memory`: values that are kept while the process runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

from pydantic import BaseModel, ConfigDict

from flowyard.backend import (
    Alarm,
    Capability,
    Clock,
    ComponentContext,
    ComponentType,
    Concurrency,
    DeleteState,
    EtagMismatch,
    Machine,
    SetState,
    StateCapability,
    StateOptions,
    StateStore,
    StateValue,
    hookimpl,
    to_datetime,
    to_microseconds,
    ttl_seconds,
)


class InMemorySettings(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(extra="forbid")


class InMemoryState(StateStore):
    """A dictionary with versions and times to live."""

    def __init__(self, name: str, clock: Clock, machine: Machine) -> None:
        super().__init__(name)
        self._clock = clock
        self._machine = machine
        self._values: dict[str, StateValue] = {}
        self._alarms: dict[str, Alarm] = {}
        """What removes the values that have an end, so that none fills the memory."""

    def close(self) -> None:
        """Forget everything."""
        for key in list(self._values):
            self._forget(key)

    async def get(
        self,
        key: str,
        *,
        options: StateOptions | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StateValue | None:
        return self._find(key)

    async def set(self, request: SetState) -> None:
        self._check(request)
        self._apply(request)

    async def delete(self, request: DeleteState) -> None:
        self._check(request)
        self._apply(request)

    async def transact(
        self,
        operations: Sequence[SetState | DeleteState],
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        for operation in operations:
            self._check(operation)
        for operation in operations:
            self._apply(operation)

    def _find(self, key: str) -> StateValue | None:
        value = self._values.get(key)
        if value is not None and value.expires_at is not None and value.expires_at <= self._now():
            self._forget(key)
            return None
        return value

    def _check(self, request: SetState | DeleteState) -> None:
        found = self._find(request.key)
        if request.etag:
            if found is None or found.etag != request.etag:
                raise EtagMismatch(request.key)
        elif (
            isinstance(request, SetState)
            and request.options.concurrency is Concurrency.FIRST_WRITE
            and found is not None
        ):
            raise EtagMismatch(request.key)
        if isinstance(request, SetState):
            ttl_seconds(request.metadata)

    def _apply(self, request: SetState | DeleteState) -> None:
        self._forget(request.key)
        if isinstance(request, DeleteState):
            return
        key, ttl = request.key, ttl_seconds(request.metadata)
        expires_at = self._now() + timedelta(seconds=ttl) if ttl is not None and ttl > 0 else None
        etag = str(self._machine.new_uuid())
        self._values[key] = StateValue(request.value, etag, expires_at)
        if expires_at is not None:
            end = to_microseconds(expires_at)
            self._alarms[key] = self._clock.call_at(end, partial(self._forget, key))

    def _forget(self, key: str) -> None:
        self._values.pop(key, None)
        alarm = self._alarms.pop(key, None)
        if alarm is not None:
            alarm.cancel()

    def _now(self) -> datetime:
        return to_datetime(self._clock.now())


@asynccontextmanager
async def _open(
    settings: InMemorySettings, context: ComponentContext
) -> AsyncIterator[InMemoryState]:
    store = InMemoryState(context.name, context.clock, context.machine)
    try:
        yield store
    finally:
        store.close()


IN_MEMORY = ComponentType(
    name="state.in-memory",
    settings=InMemorySettings,
    open=_open,
    capabilities=frozenset({*StateCapability, Capability.VOLATILE}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[InMemorySettings, InMemoryState]:
    """Offer `state.in-memory`."""
    return IN_MEMORY
