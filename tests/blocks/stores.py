"""Stores of a third party: of state that can do little, or nothing, and of secrets."""

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
    SecretCapability,
    SecretNotFound,
    SecretStore,
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


class VaultSecrets(SecretStore):
    """One secret that has versions."""

    capabilities = frozenset({SecretCapability.MULTIPLE_KEY_VALUES_PER_SECRET})

    async def get(
        self, name: str, *, metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        if name != "db":
            raise SecretNotFound(name)
        return {"password": f"version {(metadata or {}).get('version_id', 1)}"}

    async def get_all(
        self, *, metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, Mapping[str, str]]:
        return {"db": await self.get("db", metadata=metadata)}


@asynccontextmanager
async def _open_plain(settings: Nothing, context: ComponentContext) -> AsyncIterator[PlainState]:
    yield PlainState(context.name)


@asynccontextmanager
async def _open_silent(settings: Nothing, context: ComponentContext) -> AsyncIterator[SilentState]:
    yield SilentState(context.name)


PLAIN = ComponentType("state.plain", Nothing, _open_plain, frozenset())
SILENT = ComponentType("state.silent", Nothing, _open_silent, frozenset())


@asynccontextmanager
async def _open_vault(settings: Nothing, context: ComponentContext) -> AsyncIterator[VaultSecrets]:
    yield VaultSecrets(context.name)


VAULT = ComponentType(
    "secretstores.vault", Nothing, _open_vault, frozenset(VaultSecrets.capabilities)
)
