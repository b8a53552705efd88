"""One state store as an application sees it: under keys of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from flowyard.backend.state_store import DeleteState, SetState, StateOptions, StateStore, StateValue
from flowyard.errors import InvalidRequest

SEPARATOR = "||"
"""What stands between the prefix of a key and the key (docs/protocol.md §15)."""


class State:
    """A state store with the prefix that the configuration gives to its keys.

    Args:
        store: The open store.
        app_id: The application, whose ID is the prefix by default.
        key_prefix: `appid`, `name`, `namespace`, `none`, or the prefix itself.
    """

    def __init__(self, store: StateStore, app_id: str, key_prefix: str = "appid") -> None:
        self.store = store
        self._prefix = _prefix(store.name, app_id, key_prefix.lower())

    async def get(
        self,
        key: str,
        *,
        options: StateOptions | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StateValue | None:
        """Return a value, None if there is none."""
        return await self.store.get(self.full_key(key), options=options, metadata=metadata)

    async def get_many(
        self,
        keys: Sequence[str],
        *,
        metadata: Mapping[str, str] | None = None,
        parallelism: int | None = None,
    ) -> Sequence[StateValue | Exception | None]:
        """Return the values of several keys, in their order, or the errors of reading them."""
        full = [self.full_key(key) for key in keys]
        return await self.store.get_many(full, metadata=metadata, parallelism=parallelism)

    async def set(self, request: SetState) -> None:
        """Keep a value."""
        await self.store.set(replace(request, key=self.full_key(request.key)))

    async def delete(self, request: DeleteState) -> None:
        """Remove a value."""
        await self.store.delete(replace(request, key=self.full_key(request.key)))

    async def transact(
        self,
        operations: Sequence[SetState | DeleteState],
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Do all of it or nothing."""
        full = [replace(operation, key=self.full_key(operation.key)) for operation in operations]
        await self.store.transact(full, metadata=metadata)

    def full_key(self, key: str) -> str:
        """Return the key as the store has it; raise `InvalidRequest` if it cannot be one."""
        if SEPARATOR in key:
            raise InvalidRequest(f"input key/keyPrefix '{key}' can't contain '{SEPARATOR}'")
        return f"{self._prefix}{SEPARATOR}{key}" if self._prefix else key


def _prefix(name: str, app_id: str, strategy: str) -> str:
    match strategy:
        case "none":
            return ""
        case "name":
            return name
        case "namespace" if namespace := os.environ.get("NAMESPACE"):
            return f"{namespace}.{app_id}"
        case "appid" | "namespace" | "":
            return app_id
    return strategy
