"""Conductor as a plugin."""

from __future__ import annotations

from flowyard.backend import Capability, ComponentType, hookimpl
from flowyard_conductor.component import ConductorComponent
from flowyard_conductor.settings import ConductorSettings

CONDUCTOR = ComponentType(
    name="workflow.conductor",
    settings=ConductorSettings,
    open=ConductorComponent.open,
    capabilities=frozenset(Capability) - {Capability.RERUN, Capability.VOLATILE},
)


@hookimpl
def flowyard_component_type() -> ComponentType[ConductorSettings]:
    """Offer `workflow.conductor`."""
    return CONDUCTOR
