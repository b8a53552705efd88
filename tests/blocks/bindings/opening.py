"""Opens one binding as a server does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowyard.blocks.bindings import BoundBinding
from flowyard.blocks.opening import open_blocks
from flowyard.config import ComponentSpec
from flowyard.testing import VirtualClock


@asynccontextmanager
async def opened(
    type: str, clock: VirtualClock | None = None, /, **metadata: str
) -> AsyncIterator[BoundBinding]:
    """Open a binding named `outside`."""
    spec = ComponentSpec(name="outside", type=f"bindings.{type}", metadata=metadata)
    async with open_blocks([spec], (), "shop", clock or VirtualClock()) as blocks:
        yield blocks.bindings["outside"]
