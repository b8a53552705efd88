"""The seam of bindings: calls to the outside and from it, as `bindings.…` components make them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum

from flowyard.backend.component import Component
from flowyard.errors import UnsupportedOperation


class BindingCapability(StrEnum):
    """The directions of a binding, in Dapr's words: `read` and `invoke`."""

    INPUT = "INPUT_BINDING"
    OUTPUT = "OUTPUT_BINDING"


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """What an output binding is asked for.

    Attributes:
        operation: What it shall do, such as `create`.
        data: The bytes that it is given; empty by default.
        metadata: Settings of this call; none by default.
    """

    operation: str
    data: bytes = b""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BindingResponse:
    """What an output binding answers.

    Attributes:
        data: The bytes of the answer; None, the default, for none.
        metadata: What it tells besides; nothing by default.
    """

    data: bytes | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BindingEvent:
    """What an input binding reads.

    Attributes:
        data: The bytes of the event; empty by default.
        metadata: What it tells besides; nothing by default.
    """

    data: bytes = b""
    metadata: Mapping[str, str] = field(default_factory=dict)


class Binding(Component):
    """An open binding; a plugin derives from it. Every method may raise `BackendUnavailable`.

    Args:
        name: The name of the component in the configuration, kept as `name`.
    """

    @property
    def operations(self) -> frozenset[str]:
        """The operations that `invoke` knows; none by default."""
        return frozenset()

    async def invoke(self, request: BindingRequest) -> BindingResponse:
        """Do something outside.

        Args:
            request: The operation, which is one of `operations`, and what it is given.

        Raises:
            BindingFailed: If the outside says that it failed.
            InvalidRequest: If a setting or the data cannot be used.
            UnsupportedOperation: Unless overridden, as it is with `BindingCapability.OUTPUT`.
        """
        raise UnsupportedOperation(self.name, "invoke")

    def read(
        self, handler: Callable[[BindingEvent], Awaitable[None]]
    ) -> AbstractAsyncContextManager[None]:
        """Hand over what comes from outside until the end of the block.

        Args:
            handler: Takes one event; its error means that the event was not taken.

        Raises:
            UnsupportedOperation: Unless overridden, as it is with `BindingCapability.INPUT`.
        """
        raise UnsupportedOperation(self.name, "read")
