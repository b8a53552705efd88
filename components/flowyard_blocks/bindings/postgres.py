"""`bindings.postgres`: Dapr's older name for `bindings.postgresql`."""

from __future__ import annotations

from dataclasses import replace

from flowyard.backend import ComponentType, hookimpl
from flowyard_blocks.bindings.postgresql import POSTGRESQL, PostgresBinding, PostgresSettings

POSTGRES = replace(POSTGRESQL, name="bindings.postgres")


@hookimpl
def flowyard_component_type() -> ComponentType[PostgresSettings, PostgresBinding]:
    """Offer `bindings.postgres`."""
    return POSTGRES
