"""What a plugin tells Flowyard. Entry points of the group `flowyard` name the modules."""

from __future__ import annotations

from typing import Any

import pluggy

from flowyard.backend.component import ComponentType

hookspec = pluggy.HookspecMarker("flowyard")
hookimpl = pluggy.HookimplMarker("flowyard")
"""Marks the function by which a plugin offers its component type."""


@hookspec
def flowyard_component_type() -> ComponentType[Any, Any]:  # type: ignore[empty-body]  # pluggy calls it
    """Return the component type that this plugin adds. Its name is that of the entry point."""
