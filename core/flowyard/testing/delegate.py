"""A component in front of another: a test overrides the one thing that it wants different."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Any

from flowyard.backend.component import (
    ComponentContext,
    ComponentType,
    WorkflowComponent,
)
from flowyard.backend.executor import Executor
from flowyard.backend.history import HistoryEvent
from flowyard.models import InstancePage, InstanceQuery, RerunRequest, StartRequest, WorkflowState


class DelegatingComponent(WorkflowComponent):
    """Passes every operation on."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name)
        self.inner = inner

    async def start(self, request: StartRequest) -> None:
        await self.inner.start(request)

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        return await self.inner.get(instance_id, payloads=payloads)

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await self.inner.raise_event(instance_id, name, data)

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await self.inner.terminate(instance_id, output=output, recursive=recursive)

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self.inner.pause(instance_id, reason=reason)

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self.inner.resume(instance_id, reason=reason)

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await self.inner.purge(instance_id, recursive=recursive)

    async def list(self, query: InstanceQuery) -> InstancePage:
        return await self.inner.list(query)

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        return await self.inner.history(instance_id)

    async def rerun(self, request: RerunRequest) -> None:
        await self.inner.rerun(request)

    async def wait(self, instance_id: str) -> WorkflowState:
        return await self.inner.wait(instance_id)

    async def drain(self) -> None:
        await self.inner.drain()


def in_front_of(
    inner: ComponentType[Any],
    name: str,
    component: Callable[[str, WorkflowComponent], WorkflowComponent],
    *,
    executor: Callable[[Executor], Executor] | None = None,
    capabilities: frozenset[StrEnum] | None = None,
) -> ComponentType[Any]:
    """Return a component type that opens `inner` and puts `component` in front of it."""

    @asynccontextmanager
    async def open_both(
        settings: Any, context: ComponentContext
    ) -> AsyncIterator[WorkflowComponent]:
        if executor is not None and context.executor is not None:
            context = replace(context, executor=executor(context.executor))
        async with inner.open(settings, context) as opened:
            yield component(context.name, opened)

    declared = inner.capabilities if capabilities is None else capabilities
    return ComponentType(name, inner.settings, open_both, declared, inner.version)
