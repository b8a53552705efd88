"""Opens the components of the other building blocks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from flowyard.backend.binding import Binding
from flowyard.backend.component import Component, ComponentContext, ComponentType
from flowyard.backend.pubsub import PubSub
from flowyard.backend.secret_store import SecretStore
from flowyard.backend.state_store import StateStore
from flowyard.blocks.bindings import BoundBinding
from flowyard.blocks.blocks import Blocks
from flowyard.blocks.broker import Broker
from flowyard.blocks.secrets import SECRET_STORES
from flowyard.blocks.state import State
from flowyard.clock import Clock
from flowyard.config import ComponentSpec, resolve
from flowyard.config.block_settings import (
    BLOCK_SETTINGS,
    UNSUPPORTED,
    BindingSettings,
    PubSubSettings,
    StateSettings,
)
from flowyard.config.components import wrong_kind
from flowyard.config.secret_scopes import NO_SCOPES, SecretScopes
from flowyard.config.settings import keys_of, read_settings
from flowyard.errors import (
    BackendUnavailable,
    ComponentTypeNotInstalled,
    ConfigurationError,
    FlowyardError,
)

logger = logging.getLogger(__name__)

_SEAMS: Mapping[str, type[Component]] = {
    "state": StateStore,
    "pubsub": PubSub,
    "bindings": Binding,
    "secretstores": SecretStore,
}


@asynccontextmanager
async def open_blocks(
    specs: Sequence[ComponentSpec],
    extra: Sequence[ComponentType[Any, Any]],
    app_id: str,
    clock: Clock,
    secret_scopes: SecretScopes = NO_SCOPES,
) -> AsyncIterator[Blocks]:
    """Open the components of all blocks but workflows, and close them at the end of the block."""
    types: dict[str, ComponentType[Any, Any]] = {}
    states: dict[str, State] = {}
    bindings: dict[str, BoundBinding] = {}
    secrets: dict[str, SecretStore] = {}
    brokers: dict[str, Broker] = {}
    unserved: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for spec in specs:
            if spec.block not in _SEAMS:
                continue
            try:
                kind, component, own = await _open(stack, spec, extra, app_id, clock)
            except ComponentTypeNotInstalled as error:
                logger.warning("%s", error)
                unserved[spec.name] = str(error)
                continue
            except Exception as error:
                if not spec.ignore_errors:
                    raise
                unserved[spec.name] = _left_out(spec, error)
                continue
            types[spec.name] = kind
            if isinstance(component, StateStore) and isinstance(own, StateSettings):
                states[spec.name] = State(component, app_id, own.key_prefix)
            if isinstance(component, Binding) and isinstance(own, BindingSettings):
                bindings[spec.name] = BoundBinding.of(component, kind, own.direction, own.route)
            if isinstance(component, PubSub) and isinstance(own, PubSubSettings):
                brokers[spec.name] = Broker(component, app_id, own, clock)
            if isinstance(component, SecretStore):
                secrets[spec.name] = component
        yield Blocks(
            app_id,
            types,
            states=states,
            bindings=bindings,
            secrets=secrets,
            brokers=brokers,
            unserved=unserved,
            secret_scopes=secret_scopes,
            loop=asyncio.get_running_loop(),
        )


async def _open(
    stack: AsyncExitStack,
    spec: ComponentSpec,
    extra: Sequence[ComponentType[Any, Any]],
    app_id: str,
    clock: Clock,
) -> tuple[ComponentType[Any, Any], Component, BaseModel]:
    """Open a component, and return it with its type and Flowyard's own settings of it."""
    own, others = _split(spec)
    kind, settings = resolve(others, (*extra, *SECRET_STORES))
    context = ComponentContext(
        spec.name,
        None,
        clock,
        logging.getLogger(f"flowyard.component.{spec.name}"),
        app_id=app_id,
    )
    seconds = spec.init_timeout.total_seconds()
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            component = await stack.enter_async_context(kind.open(settings, context))
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise BackendUnavailable(
            f"{spec.label}: it was not open within {seconds:g} s. Check what it connects to, or "
            "give it more time with spec.initTimeout."
        ) from error
    if not isinstance(component, _SEAMS[spec.block]):
        raise ConfigurationError(wrong_kind(spec, _SEAMS[spec.block], component))
    return kind, component, own


def _left_out(spec: ComponentSpec, error: Exception) -> str:
    logger.error(
        "%s: it could not be opened, and the rest is opened without it, as its spec.ignoreErrors "
        "says: %s: %s",
        spec.label,
        type(error).__name__,
        error,
        exc_info=None if isinstance(error, FlowyardError) else error,
    )
    # What the error says is not for callers.
    return "It could not be opened when the server started: the server's log says why."


def _split(spec: ComponentSpec) -> tuple[BaseModel, ComponentSpec]:
    """Return Flowyard's own settings, and the component with the rest of them."""
    model = BLOCK_SETTINGS[spec.block]
    for key, what in UNSUPPORTED.get(spec.block, {}).items():
        if any(given.lower() == key.lower() for given in spec.metadata):
            raise ConfigurationError(
                f"{spec.label}: key '{key}': {what} is not supported. Remove it from "
                "spec.metadata, or let a daprd have the component (--dapr)."
            )
    keys = {key.lower() for name, info in model.model_fields.items() for key in keys_of(name, info)}
    own = {key: value for key, value in spec.metadata.items() if key.lower() in keys}
    rest = {key: value for key, value in spec.metadata.items() if key not in own}
    return read_settings(spec.label, own, model), replace(spec, metadata=rest)
