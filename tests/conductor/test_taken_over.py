"""What one process has begun, another one finishes: nothing is known but what the server keeps."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from conductor.proxy import Withheld, proxied
from flowyard import ActivityContext, App, Runtime, WorkflowContext
from flowyard.backend.history import EventRaised, TaskCompleted
from flowyard.config import ComponentSpec
from flowyard_conductor.hosted.definitions import KEPT_STEPS
from flowyard_conductor.hosted.inbox import Inbox

PATIENCE = timedelta(seconds=200)


class Doors:
    """What activities wait for, and how often each was begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.has_begun = asyncio.Condition()
        self.opened = asyncio.Event()

    async def until_begun(self, name: str) -> None:
        """Return once an activity has begun."""
        async with asyncio.timeout(PATIENCE.total_seconds()), self.has_begun:
            await self.has_begun.wait_for(lambda: name in self.begun)


def make_app(doors: Doors) -> App:
    """Return an app whose activities wait at the doors, if their names end so."""
    app = App()

    @app.activity
    async def work(ctx: ActivityContext, name: str) -> str:
        async with doors.has_begun:
            doors.begun.append(name)
            doors.has_begun.notify_all()
        if name.endswith("at the door"):
            await doors.opened.wait()
        elif name == "slow":
            await doors.until_begun("fast at the door")
        return name

    @app.workflow
    async def overlapping(ctx: WorkflowContext) -> list[str]:
        slow = ctx.call_activity(work, input="slow")
        await ctx.create_timer(timedelta(milliseconds=200))
        fast = await ctx.call_activity(work, input="fast at the door")
        return [await slow, fast]

    @app.workflow
    async def careless(ctx: WorkflowContext, name: str) -> str:
        ctx.call_activity(work, input=name)
        return "done"

    @app.workflow
    async def waiting(ctx: WorkflowContext) -> list[object]:
        first = await ctx.call_activity(work, input="once")
        return [first, await ctx.wait_for_external_event("go")]

    @app.workflow
    async def collecting(ctx: WorkflowContext, count: int) -> list[object]:
        await ctx.call_activity(work, input="busy at the door")
        return [await ctx.wait_for_external_event("item") for _ in range(count)]

    @app.workflow
    async def single(ctx: WorkflowContext) -> str:
        return await ctx.call_activity(work, input=f"{ctx.instance_id} at the door")

    return app


@pytest.fixture
def spec(conductor_server: str) -> ComponentSpec:
    metadata: dict[str, object] = {
        "url": f"{conductor_server}/api",
        "taskQueue": f"over.{uuid4().hex[:8]}",
        "leaseSeconds": 3,
    }
    return ComponentSpec("orders", "workflow.conductor", metadata=metadata)


async def test_an_activity_beside_the_instance_reaches_the_process_that_goes_on_with_it(
    spec: ComponentSpec,
) -> None:
    doors = Doors()
    async with Runtime.open([spec], make_app(doors)) as runtime, httpx.AsyncClient() as client:
        instance_id = await runtime.start("overlapping")
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not await _has_ended_aside(client, spec):
                pass
    doors.opened.set()
    async with Runtime.open([spec], make_app(doors)) as runtime:
        state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert state.result() == ["slow", "fast at the door"]


async def _has_ended_aside(client: httpx.AsyncClient, spec: ComponentSpec) -> bool:
    """Return whether an activity beside the only instance has put its result out."""
    url, queue = spec.metadata["url"], spec.metadata["taskQueue"]
    query = {"query": f"workflowType='{queue}~sideWorkflow'"}
    answer = await client.get(f"{url}/workflow/search", params=query)
    for found in answer.json()["results"]:
        side = (await client.get(f"{url}/workflow/{found['workflowId']}")).json()
        if any(task["status"] == "COMPLETED" for task in side["tasks"] if task["outputData"]):
            return True
    return False


async def test_an_activity_that_nobody_waits_for_is_begun_all_the_same(spec: ComponentSpec) -> None:
    doors = Doors()
    names = [f"nobody waits for {number}" for number in range(10)]
    async with Runtime.open([spec], make_app(doors)) as runtime:
        for name in names:
            state = await runtime.wait(await runtime.start("careless", input=name))
            assert state.result() == "done"
        for name in names:
            await doors.until_begun(name)


async def test_an_instance_that_is_woken_for_nothing_forgets_nothing(spec: ComponentSpec) -> None:
    doors = Doors()
    url = str(spec.metadata["url"])
    async with Runtime.open([spec], make_app(doors)) as runtime, httpx.AsyncClient() as client:
        instance_id = await runtime.start("waiting")
        query = {"query": f"correlationId='{instance_id}'"}
        found = await client.get(f"{url}/workflow/search", params=query)
        workflow_id = found.json()["results"][0]["workflowId"]
        woken = 0
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while woken < KEPT_STEPS:
                answer = await client.get(
                    f"{url}/workflow/{workflow_id}/tasks",
                    params={"status": ["SCHEDULED", "IN_PROGRESS"]},
                )
                for task in answer.json()["results"]:
                    if task["taskType"].endswith(".wait"):
                        path = f"{workflow_id}/{task['referenceTaskName']}/COMPLETED"
                        await client.post(f"{url}/tasks/{path}", json={})
                        woken += 1
    async with Runtime.open([spec], make_app(doors)) as runtime:
        history = await runtime.history(instance_id)
        assert [event.output for event in history if isinstance(event, TaskCompleted)] == ['"once"']
        await runtime.raise_event(instance_id, "go", 7)
        state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert state.result() == ["once", 7]
    assert doors.begun == ["once"]


async def test_what_a_process_does_that_hears_of_a_task_too_late_is_told_to_nobody(
    spec: ComponentSpec,
) -> None:
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    def answering_with(word: str) -> App:
        app = App()

        @app.activity
        async def answer(ctx: ActivityContext) -> str:
            if word == "in time":
                has_begun.set()
                await may_end.wait()
            return word

        @app.workflow
        async def answering(ctx: WorkflowContext) -> str:
            return await ctx.call_activity(answer)

        @app.workflow
        async def asking(ctx: WorkflowContext) -> str:
            return await ctx.call_child_workflow(answering)

        return app

    queue, server = spec.metadata["taskQueue"], str(spec.metadata["url"]).removesuffix("/api")
    late = Withheld(f"{queue}.answering")
    async with asyncio.timeout(PATIENCE.total_seconds()), proxied(server, withheld=late) as url:
        slow = replace(spec, metadata={**spec.metadata, "url": url})
        async with Runtime.open([slow], answering_with("late")) as runtime:
            instance_id = await runtime.start("asking")
            await late.is_there.wait()
            async with Runtime.open([spec], answering_with("in time")):
                await has_begun.wait()
                late.let_go.set()
                await late.was_ended.wait()
                # What it wants to tell it has told by the time that another instance is through.
                other = await runtime.start("answering")
                await runtime.terminate(other)
                may_end.set()
                state = await runtime.wait(instance_id)
    assert state.result() == "in time"


@pytest.mark.timeout(900)  # each letter costs the server some requests
async def test_mail_that_nobody_has_removed_is_taken_once_and_then_goes(
    spec: ComponentSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = Doors()
    count = 250

    async def die_before(*_: object) -> None:
        """Do what a process does that is killed once the turn is committed."""

    with monkeypatch.context() as patched:
        patched.setattr(Inbox, "remove", die_before)
        async with Runtime.open([spec], make_app(doors)) as runtime:
            instance_id = await runtime.start("collecting", input=count + 1)
            await doors.until_begun("busy at the door")
            for first in range(0, count, 10):
                await asyncio.gather(
                    *(
                        runtime.raise_event(instance_id, "item", first + number)
                        for number in range(10)
                    )
                )
            doors.opened.set()
            taken = 0
            async with asyncio.timeout(PATIENCE.total_seconds()):
                while taken < count:
                    await asyncio.sleep(0.2)  # the history is long, and the server has work to do
                    history = await runtime.history(instance_id)
                    taken = sum(isinstance(event, EventRaised) for event in history)
    async with Runtime.open([spec], make_app(doors)) as runtime:
        await runtime.raise_event(instance_id, "item", count)
        state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert sorted(state.result(list[int])) == list(range(count + 1))


async def test_no_more_activities_run_at_once_than_the_settings_say(
    conductor_server: str,
) -> None:
    metadata: dict[str, object] = {
        "url": f"{conductor_server}/api",
        "taskQueue": f"few.{uuid4().hex[:8]}",
        "workerConcurrency": 2,
    }
    doors = Doors()
    async with Runtime.open(
        [ComponentSpec("orders", "workflow.conductor", metadata=metadata)], make_app(doors)
    ) as runtime:
        instances = [await runtime.start("single") for _ in range(6)]
        await doors.until_begun(f"{instances[0]} at the door")
        # Whatever else could begin has begun by the time that another instance is through.
        other = await runtime.start("waiting")
        await runtime.terminate(other)
        assert len(doors.begun) <= 2
        doors.opened.set()
        for instance_id in instances:
            await runtime.wait(instance_id, timeout=PATIENCE)
