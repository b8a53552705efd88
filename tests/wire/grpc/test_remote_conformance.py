"""The engine conforms also where every turn and every activity is run by a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowyard.component import ComponentContext, ComponentType, WorkflowComponent
from flowyard.config import ComponentSpec
from flowyard.executor import ActivityTask, Executor
from flowyard.plugins import component_type
from flowyard.remote import Delivery, RemoteExecutor
from flowyard.testing.conformance import ComponentConformance

ENGINE = component_type("workflow.engine")


class _Elsewhere(RemoteExecutor):
    """Has a worker run everything; the worker has what the suite gave to the component."""

    def __init__(self, name: str, worker: Executor) -> None:
        super().__init__(name)
        self._worker = worker

    def check_workflow(self, name: str) -> None:
        self._worker.check_workflow(name)

    def forget(self, instance_id: str) -> None:
        self._worker.forget(instance_id)

    async def work(self) -> None:
        """Be the worker."""
        async with asyncio.TaskGroup() as tasks:
            with self.queue.stream() as stream:
                while True:
                    tasks.create_task(self._perform(await stream.take()))

    async def _perform(self, delivery: Delivery) -> None:
        request = delivery.work.request
        if isinstance(request, ActivityTask):
            delivery.conclude(await self._worker.run_activity(request))
        elif not delivery.work.answer.done():
            result = self._worker.run_turn(request)
            assert not asyncio.isfuture(result)
            delivery.conclude(result)  # type: ignore[arg-type]


@asynccontextmanager
async def _open(settings: Any, context: ComponentContext) -> AsyncIterator[WorkflowComponent]:
    assert context.executor is not None
    executor = _Elsewhere(context.name, context.executor)
    working = asyncio.create_task(executor.work())
    try:
        async with ENGINE.open(settings, replace(context, executor=executor)) as component:
            yield component
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


REMOTE = ComponentType(
    name="workflow.engine-with-workers",
    settings=ENGINE.settings,
    open=_open,
    capabilities=ENGINE.capabilities,
)


class TestEngineWithWorkers(ComponentConformance):
    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return (REMOTE,)

    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
        return ComponentSpec(name="orders", type=REMOTE.name, metadata=metadata)
