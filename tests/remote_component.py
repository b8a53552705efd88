"""A component type whose every turn and activity is run by a worker, which is in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from flowyard.backend.component import ComponentContext, ComponentType, WorkflowComponent
from flowyard.backend.executor import ActivityTask, Executor
from flowyard.executors.remote import RemoteExecutor
from flowyard.executors.work_queue import WorkQueue
from flowyard.executors.worker_streams import Delivery


class _Elsewhere(RemoteExecutor):
    """Has a worker run everything; the worker has what the suite gave to the component."""

    def __init__(self, name: str, worker: Executor) -> None:
        super().__init__(name)
        self._worker = worker

    def check_workflow(self, name: str) -> None:
        self._worker.check_workflow(name)

    def forget(self, instance_id: str) -> None:
        self._worker.forget(instance_id)


async def work(queue: WorkQueue, executor: Executor) -> None:
    """Be a connected worker that runs everything by this executor, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        with queue.stream() as stream:
            while True:
                tasks.create_task(_perform(await stream.take(), executor))


async def _perform(delivery: Delivery, executor: Executor) -> None:
    request = delivery.work.request
    if isinstance(request, ActivityTask):
        delivery.conclude(await executor.run_activity(request))
    elif not delivery.work.answer.done():
        result = executor.run_turn(request)
        assert not asyncio.isfuture(result)
        delivery.conclude(result)  # type: ignore[arg-type]


def with_workers(inner: ComponentType[Any]) -> ComponentType[Any]:
    """Return a type like `inner` that has nothing of the app in its own process."""

    @asynccontextmanager
    async def open_inner(
        settings: Any, context: ComponentContext
    ) -> AsyncIterator[WorkflowComponent]:
        assert context.executor is not None
        executor = _Elsewhere(context.name, context.executor)
        working = asyncio.create_task(work(executor.queue, context.executor))
        try:
            async with inner.open(settings, replace(context, executor=executor)) as component:
                yield component
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    return ComponentType(
        name=f"{inner.name}-with-workers",
        settings=inner.settings,
        open=open_inner,
        capabilities=inner.capabilities,
    )
