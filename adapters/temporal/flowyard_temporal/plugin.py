"""Temporal as a plugin."""

from __future__ import annotations

from flowyard.backend import Capability, ComponentType, hookimpl
from flowyard_temporal.component import TemporalComponent
from flowyard_temporal.settings import TemporalSettings

TEMPORAL = ComponentType(
    name="workflow.temporal",
    settings=TemporalSettings,
    open=TemporalComponent.open,
    capabilities=frozenset(
        {
            Capability.HOSTING,
            Capability.PAUSE,
            Capability.PURGE,
            Capability.LIST,
            Capability.HISTORY,
            Capability.START_AT,
            Capability.TERMINATE_OUTPUT,
            Capability.SHARED,
        }
    ),
)


@hookimpl
def flowyard_component_type() -> ComponentType[TemporalSettings]:
    """Offer `workflow.temporal`."""
    return TEMPORAL
