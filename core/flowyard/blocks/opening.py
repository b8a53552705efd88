"""Opens the components of the other building blocks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from flowyard.backend.binding import Binding
from flowyard.backend.component import Component, ComponentContext, ComponentType
from flowyard.backend.pubsub import PubSub
from flowyard.backend.state_store import StateStore
from flowyard.blocks.blocks import Blocks
from flowyard.blocks.broker import Broker
from flowyard.blocks.state import State
from flowyard.clock import Clock
from flowyard.config import ComponentSpec, resolve
from flowyard.config.block_settings import BLOCK_SETTINGS, PubSubSettings, StateSettings
from flowyard.config.components import wrong_kind
from flowyard.config.settings import keys_of, read_settings
from flowyard.errors import ComponentTypeNotInstalled, ConfigurationError

logger = logging.getLogger(__name__)

_SEAMS: Mapping[str, type[Component]] = {
    "state": StateStore,
    "pubsub": PubSub,
    "bindings": Binding,
}


@asynccontextmanager
async def open_blocks(
    specs: Sequence[ComponentSpec],
    extra: Sequence[ComponentType[Any, Any]],
    app_id: str,
    clock: Clock,
) -> AsyncIterator[Blocks]:
    """Open the components of all blocks but workflows, and close them at the end of the block."""
    types: dict[str, ComponentType[Any, Any]] = {}
    states: dict[str, State] = {}
    brokers: dict[str, Broker] = {}
    unserved: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for spec in specs:
            if spec.block not in _SEAMS:
                continue
            own, others = _split(spec)
            try:
                kind, settings = resolve(others, extra)
            except ComponentTypeNotInstalled as error:
                logger.warning("%s", error)
                unserved[spec.name] = str(error)
                continue
            context = ComponentContext(
                spec.name,
                None,
                clock,
                logging.getLogger(f"flowyard.component.{spec.name}"),
                app_id=app_id,
            )
            component = await stack.enter_async_context(kind.open(settings, context))
            if not isinstance(component, _SEAMS[spec.block]):
                raise ConfigurationError(wrong_kind(spec, _SEAMS[spec.block], component))
            types[spec.name] = kind
            if isinstance(component, StateStore) and isinstance(own, StateSettings):
                states[spec.name] = State(component, app_id, own.key_prefix)
            if isinstance(component, PubSub) and isinstance(own, PubSubSettings):
                brokers[spec.name] = Broker(component, app_id, own, clock)
        yield Blocks(app_id, types, states, brokers, unserved)


def _split(spec: ComponentSpec) -> tuple[BaseModel, ComponentSpec]:
    """Return Flowyard's own settings, and the component with the rest of them."""
    model = BLOCK_SETTINGS[spec.block]
    keys = {key.lower() for name, info in model.model_fields.items() for key in keys_of(name, info)}
    own = {key: value for key, value in spec.metadata.items() if key.lower() in keys}
    rest = {key: value for key, value in spec.metadata.items() if key not in own}
    return read_settings(spec.label, own, model), replace(spec, metadata=rest)
