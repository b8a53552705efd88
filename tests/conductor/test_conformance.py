"""Conductor conforms: with the app in the process, with workers elsewhere, and to manage only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
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
from flowyard.testing.conformance.listing import Listing
from flowyard.testing.conformance.purging import Purging
from flowyard.testing.conformance.refusing import Refusing
from flowyard_conductor.plugin import CONDUCTOR
from flowyard_conductor.settings import ConductorSettings
from remote_component import with_workers

# What a process that is killed leaves behind need not wait for as long as in earnest.
QUICK: Mapping[str, object] = {"leaseSeconds": 5}


class OnConductor(ComponentConformance):
    @pytest.fixture
    def patience(self) -> timedelta:
        """For hangs only: the server is slow where the machine has much else to do."""
        return timedelta(minutes=3)


class TestHosted(OnConductor):
    @pytest.fixture
    def component_spec(self, conductor_server: str) -> ComponentSpec:
        metadata = {"url": f"{conductor_server}/api", **QUICK}
        return ComponentSpec(name="orders", type="workflow.conductor", metadata=metadata)


WITH_WORKERS = with_workers(CONDUCTOR)


# Who runs the code has no part in these.
@pytest.mark.second_way(Listing, Purging, Refusing)
class TestHostedWithWorkers(OnConductor):
    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return [WITH_WORKERS]

    @pytest.fixture
    def importable_types(self) -> Sequence[str]:
        return ["conductor.test_conformance:WITH_WORKERS"]

    @pytest.fixture
    def component_spec(self, conductor_server: str) -> ComponentSpec:
        metadata = {"url": f"{conductor_server}/api", "taskQueue": "workers", **QUICK}
        return ComponentSpec(name="orders", type=WITH_WORKERS.name, metadata=metadata)


@asynccontextmanager
async def _open_to_manage(
    settings: ConductorSettings, context: ComponentContext
) -> AsyncIterator[WorkflowComponent]:
    async with CONDUCTOR.open(settings, replace(context, executor=None)) as component:
        yield component


MANAGING = ComponentType(
    name="workflow.managing",
    settings=CONDUCTOR.settings,
    open=_open_to_manage,
    capabilities=CONDUCTOR.capabilities
    - {Capability.HOSTING, Capability.START_AT, Capability.TERMINATE_OUTPUT},
)


class TestNative(OnConductor):
    """Without `failing`: a Conductor workflow fails with a reason, not with a stack and causes."""

    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return [MANAGING]

    @pytest.fixture
    def component_spec(self, native_url: str) -> ComponentSpec:
        return ComponentSpec(name="orders", type="workflow.managing", metadata={"url": native_url})

    @pytest.fixture
    def native_workflows(self) -> Mapping[str, str]:
        return {"echo": "native-copy", "waiter": "native-waiter"}
