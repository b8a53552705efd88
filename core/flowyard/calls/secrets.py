"""The calls of secret stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowyard.errors import AccessDenied, ComponentNotFound, ComponentTypeNotInstalled

if TYPE_CHECKING:
    from flowyard.backend.secret_store import SecretStore
    from flowyard.blocks.blocks import Blocks


class SecretCalls:
    """What a program reads from its secret stores."""

    __slots__ = ()

    def _open_blocks(self) -> Blocks:
        """Return what is open, or raise what keeps this caller from it."""
        raise NotImplementedError

    async def get_secret(
        self, store_name: str, key: str, secret_metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        """Read a secret.

        Args:
            store_name: The name of the component.
            key: The name of the secret.
            secret_metadata: Settings of this call; none by default.

        Returns:
            The values by their keys; a secret with a single value has it by its own name.

        Raises:
            ComponentNotFound: If no secret store has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            AccessDenied: If the Configuration keeps the secret from the application.
            SecretNotFound: If the store has no such secret. An environment variable that is not set
                is an empty text instead.
            BackendUnavailable: If the store does not answer.
        """
        store = self._secrets(store_name)
        scopes = self._open_blocks().secret_scopes
        if not scopes.allows(store_name, key):
            raise AccessDenied(scopes.refusal(store_name, key))
        return await store.get(key, metadata=secret_metadata)

    async def get_bulk_secret(
        self, store_name: str, secret_metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, Mapping[str, str]]:
        """Read all secrets of a store that the application may read.

        Args:
            store_name: The name of the component.
            secret_metadata: Settings of this call; none by default.

        Returns:
            The values of each secret, by the names of the secrets.

        Raises:
            ComponentNotFound: If no secret store has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            BackendUnavailable: If the store does not answer.
        """
        found = await self._secrets(store_name).get_all(metadata=secret_metadata)
        return self._open_blocks().secret_scopes.filter(store_name, found)

    def _secrets(self, name: str) -> SecretStore:
        blocks = self._open_blocks()
        if name in blocks.secrets:
            return blocks.secrets[name]
        if name in blocks.unserved:
            raise ComponentTypeNotInstalled(blocks.unserved[name])
        raise ComponentNotFound(name, blocks.secrets)
