"""A pause that comes while a worker has the turn that continues as new."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from uuid import uuid4

from flowyard import App, Runtime, WorkflowContext, WorkflowStatus
from flowyard.backend.executor import (
    ActivityResult,
    ActivityTask,
    LocalCode,
    RegisteredExecutor,
    Turn,
    TurnResult,
)
from flowyard.backend.history import ContinuedAsNew, ExecutionSuspended
from flowyard.config import ComponentSpec

PATIENCE = timedelta(seconds=60)


class LateRenewals:
    """A worker that holds back its answer where the code continues as new."""

    def __init__(self, inner: RegisteredExecutor) -> None:
        self._inner = inner
        self.is_out = asyncio.Event()
        self.let_go = asyncio.Event()

    def check_workflow(self, name: str) -> None:
        self._inner.check_workflow(name)

    def local_code(self, workflow: str) -> LocalCode | None:
        return None

    def run_turn(self, turn: Turn) -> TurnResult | Awaitable[TurnResult]:
        return self._run(turn)

    async def _run(self, turn: Turn) -> TurnResult:
        result = self._inner.run_turn(turn)
        assert isinstance(result, TurnResult)
        if any(isinstance(action, ContinuedAsNew) for action in result.actions):
            self.is_out.set()
            await self.let_go.wait()
        return result

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        return await self._inner.run_activity(task)

    def forget(self, instance_id: str) -> None:
        self._inner.forget(instance_id)


async def test_the_execution_after_it_begins_paused(conductor_server: str) -> None:
    begun: list[int] = []
    app = App()

    @app.workflow
    async def renewed(ctx: WorkflowContext, left: int) -> str:
        begun.append(left)
        if left:
            ctx.continue_as_new(left - 1)
        return "done"

    workers: list[LateRenewals] = []

    def make(component: str, local: RegisteredExecutor | None) -> LateRenewals:
        assert local is not None
        workers.append(LateRenewals(local))
        return workers[0]

    metadata = {"url": f"{conductor_server}/api", "taskQueue": f"paused.{uuid4().hex[:8]}"}
    spec = ComponentSpec("orders", "workflow.conductor", metadata=metadata)
    async with (
        asyncio.timeout(PATIENCE.total_seconds()),
        Runtime.open([spec], app, executor=make) as runtime,
    ):
        (worker,) = workers
        instance_id = await runtime.start(renewed, input=1)
        await worker.is_out.wait()
        assert await runtime.pause(instance_id) is True
        worker.let_go.set()
        history = await runtime.history(instance_id)
        while not any(isinstance(event, ExecutionSuspended) for event in history):
            await asyncio.sleep(0.05)
            history = await runtime.history(instance_id)
        assert begun == [1]
        assert (await runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        assert await runtime.resume(instance_id) is True
        assert (await runtime.wait(instance_id)).result() == "done"
    assert begun == [1, 0]
