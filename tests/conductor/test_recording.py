"""Results of activities: acknowledged once Conductor has them, and all kept by a drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from conductor.proxy import Unconfirmed, proxied
from flowyard import ActivityContext, App, Runtime, WorkflowContext, WorkflowStatus, when_all
from flowyard.backend.component import ComponentContext, ComponentType, WorkflowComponent
from flowyard.backend.executor import ActivityResult, ActivityTask, LocalCode, Turn, TurnResult
from flowyard.backend.history import TaskCompleted
from flowyard.config import ComponentSpec
from flowyard.executors.local import LocalExecutor
from flowyard_conductor.plugin import CONDUCTOR
from flowyard_conductor.settings import ConductorSettings

PATIENCE = timedelta(seconds=60)


class Acknowledging:
    """Runs the app, and keeps what it was told of results and of executions."""

    def __init__(self, inner: LocalExecutor) -> None:
        self._inner = inner
        self.recorded_tasks: list[tuple[str, str, int]] = []
        self.closed_executions: list[tuple[str, str]] = []
        self.ran: list[ActivityTask] = []
        self.is_told = asyncio.Event()

    def check_workflow(self, name: str) -> None:
        self._inner.check_workflow(name)

    def local_code(self, workflow: str) -> LocalCode | None:
        return self._inner.local_code(workflow)

    def run_turn(self, turn: Turn) -> TurnResult:
        return self._inner.run_turn(turn)

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        self.ran.append(task)
        return await self._inner.run_activity(task)

    def forget(self, instance_id: str) -> None:
        self._inner.forget(instance_id)

    def awaited(self, instance_id: str) -> list[int]:
        return self._inner.awaited(instance_id)

    def recorded(self, instance_id: str, execution_id: str, task_id: int) -> None:
        self.recorded_tasks.append((instance_id, execution_id, task_id))
        self.is_told.set()

    def closed(self, instance_id: str, execution_id: str) -> None:
        self.closed_executions.append((instance_id, execution_id))


def make_app(doors: asyncio.Event, begun: asyncio.Queue[str]) -> App:
    app = App()

    @app.activity
    async def word(ctx: ActivityContext, text: str) -> str:
        begun.put_nowait(text)
        if text.startswith("slow"):
            await doors.wait()
        return text[::-1]

    @app.workflow
    async def alone(ctx: WorkflowContext, text: str) -> str:
        return await ctx.call_activity(word, input=text)

    @app.workflow
    async def side_by_side(ctx: WorkflowContext, text: str) -> list[str]:
        return await when_all([ctx.call_activity(word, input=text) for _ in range(2)])

    @app.workflow
    async def one_after_the_other(ctx: WorkflowContext) -> list[str]:
        return [await ctx.call_activity(word, input=text) for text in ("slow", "next")]

    return app


@pytest.fixture
def spec(conductor_server: str) -> ComponentSpec:
    metadata: dict[str, object] = {
        "url": f"{conductor_server}/api",
        "taskQueue": f"kept.{uuid4().hex[:8]}",
    }
    return ComponentSpec("orders", "workflow.conductor", metadata=metadata)


@pytest.mark.parametrize("workflow", ["alone", "side_by_side"])
async def test_a_result_is_acknowledged_when_conductor_has_it(
    spec: ComponentSpec, workflow: str
) -> None:
    text = uuid4().hex
    executors: list[Acknowledging] = []

    @asynccontextmanager
    async def open_acknowledging(
        settings: ConductorSettings, context: ComponentContext
    ) -> AsyncIterator[WorkflowComponent]:
        assert isinstance(context.executor, LocalExecutor)
        executors.append(Acknowledging(context.executor))
        async with CONDUCTOR.open(settings, replace(context, executor=executors[0])) as component:
            yield component

    acknowledging = ComponentType(
        name="workflow.acknowledging",
        settings=ConductorSettings,
        open=open_acknowledging,
        capabilities=CONDUCTOR.capabilities,
    )
    server = str(spec.metadata["url"]).removesuffix("/api")
    unconfirmed = Unconfirmed(text[::-1])
    async with (
        asyncio.timeout(PATIENCE.total_seconds()),
        proxied(server, withheld=unconfirmed) as url,
    ):
        given = replace(spec, type=acknowledging.name, metadata={**spec.metadata, "url": url})
        app = make_app(asyncio.Event(), asyncio.Queue())
        async with Runtime.open([given], app, component_types=[acknowledging]) as runtime:
            (executor,) = executors
            instance_id = await runtime.start(workflow, input=text)
            await unconfirmed.is_there.wait()
            assert executor.ran
            assert executor.recorded_tasks == []
            unconfirmed.let_go.set()
            await executor.is_told.wait()
            await runtime.wait(instance_id)
            execution_id = executor.ran[0].execution_id
            while len(executor.recorded_tasks) < len(executor.ran):
                executor.is_told.clear()
                await executor.is_told.wait()
    assert sorted(executor.recorded_tasks) == sorted(
        (instance_id, execution_id, task.task_id) for task in executor.ran
    )
    assert executor.closed_executions == [(instance_id, execution_id)]


@pytest.mark.parametrize("workflow", ["alone", "side_by_side"])
async def test_a_drain_waits_for_running_activities_and_keeps_their_results(
    spec: ComponentSpec, workflow: str
) -> None:
    doors, begun = asyncio.Event(), asyncio.Queue[str]()
    async with asyncio.timeout(PATIENCE.total_seconds()):
        async with Runtime.open([spec], make_app(doors, begun)) as runtime:
            instance_id = await runtime.start(workflow, input="slow")
            for _ in range(1 if workflow == "alone" else 2):
                await begun.get()
            draining = asyncio.create_task(runtime.component().drain())
            # What runs meanwhile may end, but nothing else is begun.
            other = await runtime.start("alone", input="not now")
            assert not draining.done()
            doors.set()
            await draining
            assert begun.empty()
        async with Runtime.open([spec], make_app(doors, begun)) as runtime:
            state = await runtime.wait(instance_id)
            assert (await runtime.wait(other)).result() == "won ton"
    assert state.result() == ("wols" if workflow == "alone" else ["wols", "wols"])
    assert begun.get_nowait() == "not now"
    assert begun.empty()


async def test_a_drain_does_not_begin_the_activity_that_follows(spec: ComponentSpec) -> None:
    doors, begun = asyncio.Event(), asyncio.Queue[str]()
    async with asyncio.timeout(PATIENCE.total_seconds()):
        async with Runtime.open([spec], make_app(doors, begun)) as runtime:
            instance_id = await runtime.start("one_after_the_other")
            assert await begun.get() == "slow"
            draining = asyncio.create_task(runtime.component().drain())
            doors.set()
            await draining
            assert begun.empty()
            history = await runtime.history(instance_id)
            assert [event.output for event in history if isinstance(event, TaskCompleted)] == [
                '"wols"'
            ]
        async with Runtime.open([spec], make_app(doors, begun)) as runtime:
            assert (await runtime.wait(instance_id)).result() == ["wols", "txen"]
    assert begun.get_nowait() == "next"


async def test_a_drain_leaves_an_activity_that_the_app_lacks_to_others(spec: ComponentSpec) -> None:
    doors, begun = asyncio.Event(), asyncio.Queue[str]()
    doors.set()
    lacking = App()

    @lacking.workflow
    async def alone(ctx: WorkflowContext, text: str) -> object:
        return await ctx.call_activity("word", input=text)

    @lacking.workflow
    async def side_by_side(ctx: WorkflowContext, text: str) -> list[object]:
        return await when_all([ctx.call_activity("word", input=text) for _ in range(2)])

    async with asyncio.timeout(PATIENCE.total_seconds()):
        async with Runtime.open([spec], lacking, drain=PATIENCE) as runtime:
            instances = [
                await runtime.start(workflow, input="x") for workflow in (alone, side_by_side)
            ]
            for instance_id in instances:
                while True:
                    state = await runtime.get(instance_id)
                    if state.detail == "waits for activity 'word', which this process lacks":
                        break
                    await asyncio.sleep(0.05)
        async with Runtime.open([spec], make_app(doors, begun)) as runtime:
            results = [(await runtime.wait(instance_id)).result() for instance_id in instances]
    assert results == ["x", ["x", "x"]]


class Panic(BaseException):
    """What Rust extensions raise when they panic."""


async def test_whatever_code_raises_ends_its_instance(spec: ComponentSpec) -> None:
    app = App()

    @app.activity
    async def panicking(ctx: ActivityContext) -> None:
        raise Panic("in an activity")

    @app.activity
    async def fine(ctx: ActivityContext) -> None:
        return None

    @app.workflow
    async def in_activity(ctx: WorkflowContext) -> None:
        await ctx.call_activity(panicking)

    @app.workflow
    async def in_side_activity(ctx: WorkflowContext) -> None:
        await when_all([ctx.call_activity(panicking), ctx.call_activity(fine)])

    @app.workflow
    async def at_once(ctx: WorkflowContext) -> None:
        raise Panic("in workflow code")

    @app.workflow
    async def later(ctx: WorkflowContext) -> None:
        await ctx.call_activity(fine)
        raise Panic("in workflow code")

    async with Runtime.open([spec], app) as runtime:
        for workflow in (in_activity, in_side_activity, at_once, later):
            state = await runtime.wait(await runtime.start(workflow), timeout=PATIENCE)
            assert state.status is WorkflowStatus.FAILED
            assert "Panic" in str(state.failure)
