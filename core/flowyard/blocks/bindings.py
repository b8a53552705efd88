"""One binding as an application sees it: what it may ask for, and which way its events go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.backend.binding import Binding, BindingCapability, BindingRequest, BindingResponse
from flowyard.backend.component import ComponentType
from flowyard.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class BoundBinding:
    """A binding with what its configuration says of it.

    Attributes:
        binding: The open component.
        can_read: Whether its type reads events.
        can_invoke: Whether its type can be invoked.
        directions: `input` and `output` where the configuration names them; empty where it does
            not, and the type and the application decide.
        route: The path of the application that takes its events, without the first slash.
    """

    binding: Binding
    can_read: bool
    can_invoke: bool
    directions: frozenset[str]
    route: str

    @staticmethod
    def of(
        binding: Binding, kind: ComponentType[Any, Any], direction: str, route: str
    ) -> BoundBinding:
        """Return a binding of a type, with the settings of its component."""
        words = (word.strip().lower() for word in direction.split(","))
        return BoundBinding(
            binding,
            BindingCapability.INPUT in kind.capabilities,
            BindingCapability.OUTPUT in kind.capabilities,
            frozenset(word for word in words if word),
            route.lstrip("/") or binding.name,
        )

    async def invoke(
        self, operation: str, data: bytes, metadata: Mapping[str, str]
    ) -> BindingResponse:
        """Do something outside; the errors are those of `Binding.invoke`."""
        name, known = self.binding.name, sorted(self.binding.operations)
        if not self.can_invoke:
            raise InvalidRequest(
                f"couldn't find output binding {name}: the binding of this name only reads"
            )
        if not operation:
            raise InvalidRequest("operation field is missing from request")
        if operation not in known:
            raise InvalidRequest(
                f"binding {name} does not support operation {operation}. "
                f"supported operations:{' '.join(known)}"
            )
        return await self.binding.invoke(BindingRequest(operation, data, metadata))
