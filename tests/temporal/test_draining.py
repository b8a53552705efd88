"""A process that ends lets its activities end first, if it is given time for that."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from flowyard import ActivityContext, App, Runtime, WorkflowContext
from flowyard.backend.executor import TurnResult
from flowyard.backend.history import ExecutionCompleted
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.models import WorkflowStatus

PATIENCE = timedelta(seconds=60)


class Steps:
    """An app of a workflow with two activities; the first ends when it may."""

    def __init__(self) -> None:
        self.app = App()
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.runs: list[str] = []

        @self.app.activity
        async def first(_: ActivityContext) -> int:
            self.runs.append("first")
            self.begun.set()
            await self.may_end.wait()
            return 1

        @self.app.activity
        async def second(_: ActivityContext) -> int:
            self.runs.append("second")
            return 2

        @self.app.workflow
        async def steps(ctx: WorkflowContext) -> list[int]:
            return [await ctx.call_activity(first), await ctx.call_activity(second)]


@pytest.fixture
def spec(temporal_server: str) -> ComponentSpec:
    metadata = {"hostPort": temporal_server, "taskQueue": uuid4().hex}
    return ComponentSpec("orders", "workflow.temporal", metadata=metadata)


async def test_an_activity_that_ends_in_a_drain_does_not_run_again(spec: ComponentSpec) -> None:
    steps = Steps()
    async with Runtime.open([spec], steps.app, drain=PATIENCE) as runtime:
        instance_id = await runtime.start("steps")
        await steps.begun.wait()
        asyncio.get_running_loop().call_soon(steps.may_end.set)
    assert steps.runs == ["first"]
    async with Runtime.open([spec], steps.app) as runtime:
        state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert state.result() == [1, 2]
    assert steps.runs == ["first", "second"]


async def test_a_drain_ends_with_the_time_that_is_given(spec: ComponentSpec) -> None:
    steps = Steps()
    async with asyncio.timeout(PATIENCE.total_seconds()):
        async with Runtime.open([spec], steps.app, drain=timedelta(seconds=0.2)) as runtime:
            instance_id = await runtime.start("steps")
            await steps.begun.wait()
        steps.may_end.set()
        async with Runtime.open([spec], steps.app) as runtime:
            assert (await runtime.wait(instance_id)).result() == [1, 2]
    assert steps.runs == ["first", "first", "second"]


async def test_a_turn_that_a_worker_has_is_kept_in_a_drain(spec: ComponentSpec) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([spec], executor=executors.make, drain=PATIENCE) as runtime:
        instance_id = await runtime.start("anything")
        with executors.queue("orders").stream() as worker:
            delivery = await worker.take()
            end = ExecutionCompleted(WorkflowStatus.COMPLETED, '"done"')
            draining = asyncio.create_task(runtime.component().drain())
            asyncio.get_running_loop().call_later(0.1, delivery.conclude, TurnResult([end]))
            await draining
        assert (await runtime.get(instance_id)).result() == "done"
