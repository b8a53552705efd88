"""Secrets as both faces serve them: which store, and what its errors are called."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.backend.secret_store import SecretStore
from flowyard.blocks.blocks import Blocks
from flowyard.errors import FlowyardError
from flowyard.server.block_errors import BlockError, not_installed


class SecretsApi:
    """The secret stores of a runtime. What fails raises a `BlockError`."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    async def get(self, store: str, key: str, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """Return the values of a secret, by their keys."""
        secrets = self._store(store)
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
            return await secrets.get_all(metadata=metadata)
        except FlowyardError as error:
            message = f"failed getting secrets from secret store {store}: {error}"
            raise BlockError(500, "ERR_SECRET_GET", "INTERNAL", message) from error

    def _store(self, name: str) -> SecretStore:
        blocks = self._blocks
        if name in blocks.secrets:
            return blocks.secrets[name]
        if name in blocks.unserved or not blocks.secrets:
            message = "secret store is not configured"
            if name in blocks.unserved:
                message = f"{message}: {not_installed(blocks.unserved[name])}"
            raise BlockError(
                500, "ERR_SECRET_STORES_NOT_CONFIGURED", "FAILED_PRECONDITION", message
            )
        message = f"failed finding secret store with key {name}"
        raise BlockError(401, "ERR_SECRET_STORE_NOT_FOUND", "INVALID_ARGUMENT", message)
