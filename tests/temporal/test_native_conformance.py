"""Managing what other people's workers run conforms, as far as that can be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from flowyard.backend.component import (
    Capability,
    ComponentContext,
    ComponentType,
    WorkflowComponent,
)
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import ComponentConformance
from flowyard_temporal.plugin import TEMPORAL
from flowyard_temporal.settings import TemporalSettings


@asynccontextmanager
async def _open_to_manage(
    settings: TemporalSettings, context: ComponentContext
) -> AsyncIterator[WorkflowComponent]:
    async with TEMPORAL.open(settings, replace(context, executor=None)) as component:
        yield component


MANAGING = ComponentType(
    name="workflow.managing",
    settings=TEMPORAL.settings,
    open=_open_to_manage,
    capabilities=TEMPORAL.capabilities - {Capability.HOSTING},
)


class TestNative(ComponentConformance):
    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return [MANAGING]

    @pytest.fixture
    def component_spec(self, temporal_server: str, native_queue: str) -> ComponentSpec:
        metadata = {"hostPort": temporal_server, "taskQueue": native_queue}
        return ComponentSpec(name="orders", type="workflow.managing", metadata=metadata)

    @pytest.fixture
    def native_workflows(self) -> Mapping[str, str]:
        return {"echo": "Echo", "waiter": "Waiter", "failing": "Failing"}
