"""What the entry point `workflow.memory` names."""

from __future__ import annotations

from flowyard.backend import Capability, ComponentType, hookimpl
from flowyard_memory.component import MemorySettings, open_memory

MEMORY = ComponentType(
    name="workflow.memory",
    settings=MemorySettings,
    open=open_memory,
    capabilities=frozenset(
        {
            Capability.HOSTING,
            Capability.PAUSE,
            Capability.PURGE,
            Capability.HISTORY,
            Capability.TERMINATE_OUTPUT,
            Capability.VOLATILE,
        }
    ),
)


@hookimpl
def flowyard_component_type() -> ComponentType[MemorySettings]:
    """Offer `workflow.memory`."""
    return MEMORY
