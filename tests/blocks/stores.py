"""State stores that can do little, or nothing, for what the faces say of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict

from flowyard.backend import (
    BackendUnavailable,
    ComponentContext,
    ComponentType,
    DeleteState,
    InvalidEtag,
    SetState,
    StateOptions,
    StateStore,
    StateValue,
)


class Nothing(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(extra="forbid")


class PlainState(StateStore):
    """A dictionary without versions, transactions and times to live."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.values: dict[str, bytes] = {}

    async def get(
        self,
        key: str,
        *,
        options: StateOptions | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StateValue | None:
        return StateValue(self.values[key]) if key in self.values else None

    async def set(self, request: SetState) -> None:
        if request.etag is not None:
            raise InvalidEtag(request.key)
        self.values[request.key] = request.value

    async def delete(self, request: DeleteState) -> None:
        self.values.pop(request.key, None)


class SilentState(StateStore):
    """A store that does not answer."""

    async def get(
        self,
        key: str,
        *,
        options: StateOptions | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StateValue | None:
        raise BackendUnavailable("nobody is there")

    async def set(self, request: SetState) -> None:
        raise BackendUnavailable("nobody is there")

    async def delete(self, request: DeleteState) -> None:
        raise BackendUnavailable("nobody is there")


@asynccontextmanager
async def _open_plain(settings: Nothing, context: ComponentContext) -> AsyncIterator[PlainState]:
    yield PlainState(context.name)


@asynccontextmanager
async def _open_silent(settings: Nothing, context: ComponentContext) -> AsyncIterator[SilentState]:
    yield SilentState(context.name)


PLAIN = ComponentType("state.plain", Nothing, _open_plain, frozenset())
SILENT = ComponentType("state.silent", Nothing, _open_silent, frozenset())
