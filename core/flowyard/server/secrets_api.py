"""Secrets as both faces serve them: which store, and what its errors are called."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.backend.secret_store import SecretStore
from flowyard.blocks.blocks import Blocks
from flowyard.errors import FlowyardError
from flowyard.server.block_errors import BlockError
from flowyard.server.not_served import NotServed


class SecretsApi:
    """The secret stores of a runtime: a failure is a `BlockError`, an unknown store `NotServed`."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    async def get(self, store: str, key: str, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """Return the values of a secret, by their keys."""
        secrets = self._store(store)
        scopes = self._blocks.secret_scopes
        if not scopes.allows(store, key):
            message = scopes.refusal(store, key)
            raise BlockError(403, "ERR_PERMISSION_DENIED", "PERMISSION_DENIED", message)
        try:
            return await secrets.get(key, metadata=metadata)
        except FlowyardError as error:
            message = f"failed getting secret with key {key} from secret store {store}: {error}"
            raise BlockError(500, "ERR_SECRET_GET", "INTERNAL", message) from error

    async def get_bulk(
        self, store: str, metadata: Mapping[str, str]
    ) -> Mapping[str, Mapping[str, str]]:
        """Return all secrets that may be given out."""
        secrets = self._store(store)
        try:
            found = await secrets.get_all(metadata=metadata)
        except FlowyardError as error:
            message = f"failed getting secrets from secret store {store}: {error}"
            raise BlockError(500, "ERR_SECRET_GET", "INTERNAL", message) from error
        return self._blocks.secret_scopes.filter(store, found)

    def _store(self, name: str) -> SecretStore:
        blocks = self._blocks
        if name in blocks.secrets:
            return blocks.secrets[name]
        if name in blocks.unserved or not blocks.secrets:
            message = "secret store is not configured"
            unknown = BlockError(
                500, "ERR_SECRET_STORES_NOT_CONFIGURED", "FAILED_PRECONDITION", message
            )
        else:
            message = f"failed finding secret store with key {name}"
            unknown = BlockError(401, "ERR_SECRET_STORE_NOT_FOUND", "INVALID_ARGUMENT", message)
        raise NotServed("secrets", name, unknown)
