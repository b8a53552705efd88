"""What Dapr's `kind: Configuration` says, as far as it is enforced (docs/protocol.md §20)."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flowyard.config.plugins import canonical
from flowyard.config.secret_scopes import NO_SCOPES, SecretScopes
from flowyard.errors import ConfigurationError

if TYPE_CHECKING:
    from flowyard.config.components import Components, ComponentSpec

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the Configuration documents of a server say, as far as it is enforced.

    Attributes:
        secret_scopes: Which secrets may be read; every one by default.
        denied: The types of components that are not opened, each perhaps with `/` and a version;
            none by default.
        unenforced: What else restricts callers, in words, and is not enforced; none by default.
    """

    secret_scopes: SecretScopes = NO_SCOPES
    denied: frozenset[str] = frozenset()
    unenforced: tuple[str, ...] = ()

    def permitted(self, components: Components) -> Components:
        """Return the components without those whose types are denied."""
        if not self.denied:
            return components
        specs = tuple(spec for spec in components.specs if not self._denies(spec))
        if not specs:
            raise ConfigurationError(
                f"{components.default.label}: its type '{components.default.type}' is denied by "
                "spec.components.deny of the Configuration, and there is no other workflow "
                "component. Remove the type from the list, or configure another one."
            )
        blocks = tuple(spec for spec in components.blocks if not self._denies(spec))
        return replace(components, specs=specs, blocks=blocks)

    def _denies(self, spec: ComponentSpec) -> bool:
        name = canonical(spec.type)
        if self.denied.isdisjoint({name, f"{name}/{spec.version or 'v1'}"}):
            return False
        logger.warning(
            "%s: it is not opened, because spec.components.deny of the Configuration has its type "
            "'%s'",
            spec.label,
            spec.type,
        )
        return True


NO_CONFIGURATION = Configuration()
"""What there is without a document: nothing is restricted."""
