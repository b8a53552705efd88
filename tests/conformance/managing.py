"""A component that only manages what its engine knows conforms too, as far as it declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowyard.backend import ComponentType, StartRequest, WorkflowComponent, WorkflowState
from flowyard.config import ComponentSpec
from flowyard.config.plugins import component_type
from flowyard.testing.conformance import ComponentConformance
from flowyard.testing.delegate import in_front_of

_PREFIX = "native-"


class ManagingComponent(WorkflowComponent):
    """Starts only what goes by a native name, and offers the four required operations."""

    def __init__(self, name: str, engine: WorkflowComponent) -> None:
        super().__init__(name)
        self.engine = engine

    async def start(self, request: StartRequest) -> None:
        assert request.workflow.startswith(_PREFIX)
        await self.engine.start(replace(request, workflow=request.workflow.removeprefix(_PREFIX)))

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        state = await self.engine.get(instance_id, payloads=payloads)
        return replace(state, workflow=f"{_PREFIX}{state.workflow}")

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await self.engine.raise_event(instance_id, name, data)

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await self.engine.terminate(instance_id, output=output, recursive=recursive)


MANAGING = in_front_of(
    component_type("workflow.engine"),
    "workflow.managing",
    ManagingComponent,
    capabilities=frozenset(),
)


class TestManagingComponent(ComponentConformance):
    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return [MANAGING]

    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
        return ComponentSpec(name="legacy", type="workflow.managing", metadata=metadata)

    @pytest.fixture
    def native_workflows(self) -> Mapping[str, str]:
        return {name: f"{_PREFIX}{name}" for name in ("echo", "waiter", "failing")}
