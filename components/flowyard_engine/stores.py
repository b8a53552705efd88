"""Which store a connection string names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import TypeAlias

from flowyard.backend import Machine
from flowyard_engine.settings import EngineSettings
from flowyard_engine.sqlite import SqliteStore
from flowyard_engine.store import Store

OpenStore: TypeAlias = Callable[
    [EngineSettings, logging.Logger, Machine], AbstractAsyncContextManager[Store]
]

_BY_SCHEME: Mapping[str, OpenStore] = MappingProxyType({"sqlite": SqliteStore.open})


def open_store(
    settings: EngineSettings, logger: logging.Logger, machine: Machine
) -> AbstractAsyncContextManager[Store]:
    """Open the store that `connectionString` names by its scheme, which the settings have checked.

    Raises `BackendUnavailable` if it cannot be used.
    """
    return _BY_SCHEME[settings.connection_string.partition(":")[0]](settings, logger, machine)
