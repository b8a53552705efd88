"""Which secrets an application may read: `spec.secrets.scopes` of Dapr's Configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SecretScope:
    """The rules of one store: the allowed ones alone if there are any, else all but the denied.

    `default_allow` says what becomes of secrets that neither list names; it does not count where
    some are allowed by name.
    """

    default_allow: bool = True
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()

    def allows(self, key: str) -> bool:
        """Whether the secret may be read."""
        if self.allowed:
            return key in self.allowed
        return self.default_allow and key not in self.denied


@dataclass(frozen=True, slots=True)
class SecretScopes:
    """The rules by the names of the stores. A store without rules gives out every secret."""

    stores: Mapping[str, SecretScope] = field(default_factory=dict)

    def allows(self, store: str, key: str) -> bool:
        """Whether a secret of a store may be read; in a bulk call, for each of its secrets."""
        scope = self.stores.get(store)
        return scope is None or scope.allows(key)

    def filter(
        self, store: str, secrets: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, Mapping[str, str]]:
        """Return the secrets of a store that may be read."""
        if store not in self.stores:
            return secrets
        return {key: values for key, values in secrets.items() if self.allows(store, key)}

    @staticmethod
    def refusal(store: str, key: str) -> str:
        """Say that a secret may not be read, as daprd says it (docs/protocol.md §19)."""
        return f'access denied by policy to get "{key}" from "{store}"'


NO_SCOPES = SecretScopes()
"""Every secret may be read."""
