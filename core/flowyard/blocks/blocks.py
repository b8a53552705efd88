"""The open components of the other building blocks, by their names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowyard.backend.component import ComponentType
from flowyard.backend.secret_store import SecretStore
from flowyard.blocks.bindings import BoundBinding
from flowyard.blocks.invocation import Invocation
from flowyard.blocks.state import State
from flowyard.config.secret_scopes import NO_SCOPES, SecretScopes

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
        bindings: The bindings, by their names.
        secrets: The secret stores, by their names.
        invocation: Whom methods of applications are called on; nobody but by URL by default.
        brokers: The brokers of pub/sub, by their names.
        unserved: Why a component of the configuration cannot be used here, by its name: its type is
            not installed, or it could not be opened.
        secret_scopes: Which secrets may be read over the API.
    """

    app_id: str = "flowyard"
    types: Mapping[str, ComponentType[Any, Any]] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)
    bindings: Mapping[str, BoundBinding] = field(default_factory=dict)
    secrets: Mapping[str, SecretStore] = field(default_factory=dict)
    invocation: Invocation | None = field(default=None, repr=False)
    brokers: Mapping[str, Broker] = field(default_factory=dict)
    unserved: Mapping[str, str] = field(default_factory=dict)
    loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False)
    secret_scopes: SecretScopes = NO_SCOPES


NO_BLOCKS = Blocks()
"""What a runtime has whose configuration names no other building block."""
