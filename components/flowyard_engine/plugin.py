"""The built-in engine as a plugin like any other."""

from __future__ import annotations

from flowyard.backend import Capability, ComponentType, hookimpl
from flowyard_engine.component import EngineComponent
from flowyard_engine.settings import EngineSettings

ENGINE = ComponentType(
    name="workflow.engine",
    settings=EngineSettings,
    open=EngineComponent.open,
    capabilities=frozenset(Capability) - {Capability.VOLATILE},
)


@hookimpl
def flowyard_component_type() -> ComponentType[EngineSettings]:
    """Offer `workflow.engine`."""
    return ENGINE
