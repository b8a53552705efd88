"""The calls of secret stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowyard.errors import ComponentNotFound, ComponentTypeNotInstalled

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
            SecretNotFound: If the store has no such secret. An environment variable that is not set
                is an empty text instead.
            BackendUnavailable: If the store does not answer.
        """
        return await self._secrets(store_name).get(key, metadata=secret_metadata)

    async def get_bulk_secret(
        self, store_name: str, secret_metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, Mapping[str, str]]:
        """Read all secrets of a store.

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
        return await self._secrets(store_name).get_all(metadata=secret_metadata)

    def _secrets(self, name: str) -> SecretStore:
        blocks = self._open_blocks()
        if name in blocks.secrets:
            return blocks.secrets[name]
        if name in blocks.unserved:
            raise ComponentTypeNotInstalled(blocks.unserved[name])
        raise ComponentNotFound(name, blocks.secrets)
