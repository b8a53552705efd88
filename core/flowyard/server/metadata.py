"""What the metadata say: the components, and what callers have added while the server runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowyard.backend.component import Capability
from flowyard.runtime import Runtime
from flowyard.wire.json.errors import RequestFault

LONGEST_EXTRA = 64 * 1024
_MOST_EXTRAS = 100


class Extras(dict[str, str]):
    """Values by their keys, the same for every face."""

    def add(self, key: str, value: str) -> None:
        """Keep a value; raises `RequestFault` if there are too many, or if it is too long."""
        if key not in self and len(self) >= _MOST_EXTRAS:
            raise RequestFault(
                400,
                "ERR_METADATA_FULL",
                f"the metadata has {_MOST_EXTRAS} values already, and takes no more",
            )
        if len(key) + len(value) > 2 * LONGEST_EXTRA:
            text = f"the value is longer than {LONGEST_EXTRA} characters"
            raise RequestFault(400, "ERR_METADATA_FULL", text)
        self[key] = value


@dataclass(frozen=True, slots=True)
class Described:
    """What is said of one component."""

    name: str
    type: str
    version: str
    capabilities: Sequence[str]


def described(runtime: Runtime) -> Sequence[Described]:
    """Return the open components: those of workflows, then those of the other blocks."""
    secrets = runtime.blocks.secrets
    found = [
        Described(name, kind.name, kind.version, sorted(kind.capabilities))
        for name, kind in runtime.component_types.items()
    ]
    for name, kind in runtime.blocks.types.items():
        own = secrets[name].capabilities if name in secrets else ()
        # Dapr's words only: whether a component is volatile, or can be shared, is Flowyard's own.
        words = {word for word in (*kind.capabilities, *own) if not isinstance(word, Capability)}
        found.append(Described(name, kind.name, kind.version, sorted(words)))
    return found
