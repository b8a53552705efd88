"""The call of output bindings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowyard.errors import ComponentNotFound, ComponentTypeNotInstalled
from flowyard.payload import encode

if TYPE_CHECKING:
    from flowyard.backend.binding import BindingResponse
    from flowyard.blocks.blocks import Blocks


class BindingCalls:
    """What a program has bindings do outside."""

    __slots__ = ()

    def _open_blocks(self) -> Blocks:
        """Return what is open, or raise what keeps this caller from it."""
        raise NotImplementedError

    async def invoke_binding(
        self,
        binding_name: str,
        operation: str,
        data: object = b"",
        binding_metadata: Mapping[str, str] | None = None,
    ) -> BindingResponse:
        """Have an output binding do something.

        Args:
            binding_name: The name of the component.
            operation: What it shall do, such as `create`; what there is depends on its type.
            data: What it is given: bytes or text as they are, anything else as JSON; nothing by
                default.
            binding_metadata: Settings of this call; none by default.

        Returns:
            The bytes of the answer as `data`, None for none, and what it tells besides as
            `metadata`.

        Raises:
            ComponentNotFound: If no output binding has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            InvalidRequest: If the binding has no such operation, or cannot use what it is given.
            BindingFailed: If the outside says that it failed.
            BackendUnavailable: If the outside does not answer.
            PayloadError: If the data cannot be written as JSON.

        Example:
            ```python
            answer = await runtime.invoke_binding("files", "get", b"", {"fileName": "a.txt"})
            print(answer.data)
            ```
        """
        blocks = self._open_blocks()
        found = blocks.bindings.get(binding_name)
        if found is None or not found.can_invoke:
            if binding_name in blocks.unserved:
                raise ComponentTypeNotInstalled(blocks.unserved[binding_name])
            known = [name for name, bound in blocks.bindings.items() if bound.can_invoke]
            raise ComponentNotFound(binding_name, known)
        return await found.invoke(operation, as_bytes(data), dict(binding_metadata or {}))


def as_bytes(data: object) -> bytes:
    """Return what is sent for a value: bytes and text as they are, anything else as JSON."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    return encode(data, "data").encode()
