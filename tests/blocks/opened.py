"""A state store, open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from flowyard.backend import Clock, StateStore
from flowyard.blocks.opening import open_blocks
from flowyard.clock import SystemClock
from flowyard.config import ComponentSpec


@asynccontextmanager
async def open_store(
    kind: str, metadata: Mapping[str, object], clock: Clock | None = None
) -> AsyncIterator[StateStore]:
    """Open a state store of this type."""
    spec = ComponentSpec(name="store", type=kind, metadata=metadata)
    async with open_blocks([spec], (), "app", clock or SystemClock()) as blocks:
        yield blocks.states["store"].store
