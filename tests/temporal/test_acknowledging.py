"""When a worker that ran an activity is told that its result is kept."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from uuid import uuid4

import pytest

from flowyard import ActivityContext, App, Runtime, WorkflowContext
from flowyard.backend.history import ExecutionStarted, TaskCompleted, TaskFailed, TaskScheduled
from flowyard.config import ComponentSpec
from flowyard.executors.local import LocalExecutor
from servers.temporal_server import TemporalServer

PATIENCE = timedelta(seconds=60)


class Acknowledging(LocalExecutor):
    """Notes what it is told of results and of executions that have ended."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.kept: asyncio.Queue[tuple[str, str, int]] = asyncio.Queue()
        self.ended: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def recorded(self, instance_id: str, execution_id: str, task_id: int) -> None:
        self.kept.put_nowait((instance_id, execution_id, task_id))

    def closed(self, instance_id: str, execution_id: str) -> None:
        self.ended.put_nowait((instance_id, execution_id))

    def obstacle(self, instance_id: str, task_id: int | None = None) -> str | None:
        return f"no worker knows the activity of '{instance_id}'"


class Paced:
    """An app whose only activity says that it has begun, and ends when it may."""

    def __init__(self) -> None:
        self.app = App()
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.runs = 0

        @self.app.activity
        async def stand(_: ActivityContext, failure: str | None) -> str:
            self.runs += 1
            self.begun.set()
            await self.may_end.wait()
            if failure is not None:
                raise ValueError(failure)
            return "done"

        @self.app.workflow
        async def paced(ctx: WorkflowContext, failure: str | None = None) -> str:
            await ctx.call_activity(stand, input=failure)
            await ctx.wait_for_external_event("go")
            return "gone"


def spec_of(address: str, **metadata: str) -> ComponentSpec:
    given = {"hostPort": address, "taskQueue": uuid4().hex, **metadata}
    return ComponentSpec("orders", "workflow.temporal", metadata=given)


@pytest.mark.parametrize("failure", [None, "no stock"], ids=["a result", "a failure"])
async def test_a_result_is_acknowledged_once_temporal_has_it(
    server: TemporalServer, caplog: pytest.LogCaptureFixture, failure: str | None
) -> None:
    paced = Paced()
    executor = Acknowledging(paced.app)
    spec = spec_of(server.address, requestTimeout="0.5")
    async with Runtime.open([spec], paced.app, executor=lambda *_: executor) as runtime:
        instance_id = await runtime.start("paced", input=failure)
        async with asyncio.timeout(PATIENCE.total_seconds()):
            await paced.begun.wait()
            server.kill()
            with caplog.at_level(logging.WARNING, "flowyard.component.orders"):
                paced.may_end.set()
                while "will be delivered again" not in caplog.text:  # noqa: ASYNC110 - it is a log
                    await asyncio.sleep(0.01)
            assert executor.kept.empty()
            server.restart()
            acknowledged = await executor.kept.get()
        history = await runtime.history(instance_id)
        (started,) = [event for event in history if isinstance(event, ExecutionStarted)]
        (scheduled,) = [event for event in history if isinstance(event, TaskScheduled)]
        assert acknowledged == (instance_id, started.execution_id, scheduled.id)
        ended = [event for event in history if isinstance(event, (TaskCompleted, TaskFailed))]
        assert [type(event) for event in ended] == [TaskFailed if failure else TaskCompleted]
        await runtime.terminate(instance_id)


async def test_a_result_that_nothing_waits_for_is_acknowledged(temporal_server: str) -> None:
    paced = Paced()
    executor = Acknowledging(paced.app)
    spec = spec_of(temporal_server)
    async with Runtime.open([spec], paced.app, executor=lambda *_: executor) as runtime:
        instance_id = await runtime.start("paced")
        await paced.begun.wait()
        detail = (await runtime.get(instance_id)).detail
        assert detail == f"no worker knows the activity of '{instance_id}'"
        await runtime.terminate(instance_id)
        assert (await runtime.get(instance_id)).detail is None
        paced.may_end.set()
        async with asyncio.timeout(PATIENCE.total_seconds()):
            acknowledged = await executor.kept.get()
        assert (acknowledged[0], acknowledged[2]) == (instance_id, 1)


async def test_a_termination_from_elsewhere_tells_that_the_execution_has_ended(
    temporal_server: str,
) -> None:
    paced = Paced()
    executor = Acknowledging(paced.app)
    spec = spec_of(temporal_server, heartbeatTimeout="0.5")
    async with (
        Runtime.open([spec], paced.app, executor=lambda *_: executor) as runtime,
        Runtime.open([spec]) as manager,
    ):
        instance_id = await runtime.start("paced")
        await paced.begun.wait()
        (started,) = [
            event
            for event in await runtime.history(instance_id)
            if isinstance(event, ExecutionStarted)
        ]
        await manager.terminate(instance_id)
        async with asyncio.timeout(PATIENCE.total_seconds()):
            assert await executor.ended.get() == (instance_id, started.execution_id)
        paced.may_end.set()
        assert (await executor.kept.get())[0] == instance_id
