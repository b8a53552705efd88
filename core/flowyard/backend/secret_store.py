"""The seam of secret stores: secrets by their names, as `secretstores.…` components give them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum

from flowyard.backend.component import Component


class SecretCapability(StrEnum):
    """What a secret store can do besides, in Dapr's words.

    With MULTIPLE_KEY_VALUES_PER_SECRET one secret has several keys, each with a value.
    """

    MULTIPLE_KEY_VALUES_PER_SECRET = "MULTIPLE_KEY_VALUES_PER_SECRET"  # noqa: S105 - no password


class SecretStore(Component, ABC):
    """An open secret store; a plugin derives from it.

    A secret has one value or several, by their keys; one that has a single value has it by its own
    name. Every method may raise `BackendUnavailable`. No message and no log shows a value.

    Args:
        name: The name of the component in the configuration, kept as `name`.
    """

    capabilities: frozenset[SecretCapability] = frozenset()
    """What this store can do besides, which may depend on its settings; nothing by default."""

    @abstractmethod
    async def get(
        self, name: str, *, metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        """Return the values of a secret, by their keys.

        Args:
            name: The name of the secret.
            metadata: Settings of this call, such as the version of the secret; none by default.

        Raises:
            SecretNotFound: If there is no such secret.
        """

    @abstractmethod
    async def get_all(
        self, *, metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, Mapping[str, str]]:
        """Return all secrets that may be given out, by their names.

        Args:
            metadata: Settings of this call; none by default.
        """
