"""The open components of the other building blocks, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowyard.backend.component import ComponentType
from flowyard.blocks.state import State

# Lazy: most programs publish nothing, and its settings take pydantic to be loaded.
if TYPE_CHECKING:
    from flowyard.blocks.broker import Broker


@dataclass(frozen=True, slots=True)
class Blocks:
    """What is open besides the workflow components.

    Attributes:
        app_id: The application that it was opened for.
        types: The types of the open components, by the names of the components.
        states: The state stores, by their names.
        brokers: The brokers of pub/sub, by their names.
        unserved: Why a component of the configuration cannot be used here, by its name: its type is
            not installed.
    """

    app_id: str = "flowyard"
    types: Mapping[str, ComponentType[Any, Any]] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)
    brokers: Mapping[str, Broker] = field(default_factory=dict)
    unserved: Mapping[str, str] = field(default_factory=dict)


NO_BLOCKS = Blocks()
"""What a runtime has whose configuration names no other building block."""
