"""How hosted instances live on the server."""

from __future__ import annotations

import asyncio
import os
from uuid import uuid4

import httpx
import pytest

from flowyard import (
    ActivityContext,
    App,
    InvalidRequest,
    Runtime,
    WorkflowContext,
    WorkflowStatus,
    when_all,
)
from flowyard.backend.history import TaskCompleted
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard_conductor.hosted.definitions import KEPT_STEPS

STEPS = KEPT_STEPS + 15


@pytest.fixture
def spec(conductor_server: str) -> ComponentSpec:
    metadata: dict[str, object] = {
        "url": f"{conductor_server}/api",
        "taskQueue": f"hosting.{uuid4().hex[:8]}",
    }
    return ComponentSpec("orders", "workflow.conductor", metadata=metadata)


def make_app(halfway: asyncio.Event) -> App:
    """Return an app whose long workflow says when it has come so far that steps are forgotten."""
    app = App()

    @app.activity
    async def count(ctx: ActivityContext, number: int) -> int:
        if number == STEPS:
            halfway.set()
        return number

    @app.activity
    async def same(ctx: ActivityContext, text: str) -> str:
        return text

    @app.workflow
    async def long(ctx: WorkflowContext) -> list[int]:
        counted = [await ctx.call_activity(count, input=number) for number in range(STEPS + 1)]
        await ctx.wait_for_external_event("go")
        return [*counted, await ctx.call_activity(count, input=-1)]

    @app.workflow
    async def quoting(ctx: WorkflowContext, text: str) -> list[str]:
        one = await ctx.call_activity(same, input=text)
        return await when_all([ctx.call_activity(same, input=one) for _ in range(2)])

    @app.activity
    async def make(ctx: ActivityContext, size: int) -> str:
        return os.urandom(size // 2).hex()

    @app.workflow
    async def growing(ctx: WorkflowContext, sizes: list[int]) -> list[int]:
        if len(sizes) == 1:
            return [len(await ctx.call_activity(make, input=sizes[0]))]
        made = await when_all([ctx.call_activity(make, input=size) for size in sizes])
        return [len(kept) for kept in made]

    return app


async def test_payloads_may_be_large_together(spec: ComponentSpec) -> None:
    sizes = [700_000] * 5
    async with Runtime.open([spec], make_app(asyncio.Event())) as runtime:
        state = await runtime.wait(await runtime.start("growing", input=sizes))
    assert state.result() == sizes


@pytest.mark.parametrize("sizes", [[9_000_000], [9_000_000, 10], [900_000] * 12])
async def test_a_result_that_is_too_large_fails_and_says_so(
    spec: ComponentSpec, sizes: list[int]
) -> None:
    async with Runtime.open([spec], make_app(asyncio.Event())) as runtime:
        state = await runtime.wait(await runtime.start("growing", input=sizes))
    assert state.status is WorkflowStatus.FAILED
    assert "PayloadTooLarge" in str(state.failure)


async def test_an_input_that_is_too_large_is_refused(spec: ComponentSpec) -> None:
    text = os.urandom(6_000_000).hex()
    async with Runtime.open([spec], make_app(asyncio.Event())) as runtime:
        with pytest.raises(InvalidRequest, match="Pass a reference to where the data is"):
            await runtime.start("quoting", input=text)
        instance_id = await runtime.start("long")
        with pytest.raises(InvalidRequest, match="Pass a reference to where the data is"):
            await runtime.raise_event(instance_id, "go", text)
        await runtime.terminate(instance_id)


async def test_an_instance_goes_on_though_the_server_has_forgotten_its_first_steps(
    spec: ComponentSpec,
) -> None:
    halfway = asyncio.Event()
    async with Runtime.open([spec], make_app(halfway)) as first:
        instance_id = await first.start("long")
        await halfway.wait()
    async with Runtime.open([spec], make_app(halfway)) as second:
        await second.raise_event(instance_id, "go")
        state = await second.wait(instance_id)
        history = await second.history(instance_id)
    assert state.result() == [*range(STEPS + 1), -1]
    results = [event.task_id for event in history if isinstance(event, TaskCompleted)]
    assert len(results) == len(set(results)) == STEPS + 2


@pytest.mark.parametrize("text", ["${workflow.input.first}", "${step.output.cid}", "zlib:"])
async def test_what_means_something_to_conductor_is_only_text(
    spec: ComponentSpec, text: str
) -> None:
    async with Runtime.open([spec], make_app(asyncio.Event())) as runtime:
        state = await runtime.wait(await runtime.start("quoting", input=text))
    assert state.result() == [text, text]


async def test_an_instance_is_seen_in_conductor_by_its_id_and_name(
    spec: ComponentSpec, conductor_server: str
) -> None:
    async with Runtime.open([spec], make_app(asyncio.Event())) as runtime:
        instance_id = await runtime.start("quoting", input="x", instance_id=f"seen-{uuid4().hex}")
        await runtime.wait(instance_id)
    async with httpx.AsyncClient(base_url=f"{conductor_server}/api") as client:
        query = {"query": f"correlationId='{instance_id}'", "classifier": "workflow"}
        (found,) = (await client.get("/workflow/search", params=query)).json()["results"]
        workflow = (await client.get(f"/workflow/{found['workflowId']}")).json()
    assert found["workflowType"] == f"{spec.metadata['taskQueue']}.quoting"
    assert workflow["output"]["outcome"]["result"] == '["x","x"]'


@pytest.mark.parametrize("has_workers", [False, True], ids=["in process", "beside workers"])
async def test_an_instance_can_be_followed_in_conductor(
    spec: ComponentSpec, conductor_server: str, has_workers: bool
) -> None:
    """Its first turn is committed with its start, so its first task is the activity itself."""
    queue = spec.metadata["taskQueue"]
    executor = RemoteExecutors().make if has_workers else None
    async with (
        Runtime.open([spec], make_app(asyncio.Event()), executor=executor) as runtime,
        httpx.AsyncClient(base_url=f"{conductor_server}/api") as client,
    ):
        instance_id = await runtime.start("quoting", input="x")
        await runtime.wait(instance_id)
        query = {"query": f"correlationId='{instance_id}'"}
        (found,) = (await client.get("/workflow/search", params=query)).json()["results"]
        workflow = (await client.get(f"/workflow/{found['workflowId']}")).json()
        steps = [task for task in workflow["tasks"] if "step__" in task["referenceTaskName"]]
        told = [(task["taskType"], task["inputData"]["activity"]) for task in steps]
        assert told[0] == (f"{queue}.activity", "same")
        assert {kind for kind, _ in told[1:]} <= {f"{queue}.turn", f"{queue}.wait"}
        assert steps[0]["inputData"]["input"] == '"x"'
        # Nothing is left to be done by a process when it has gone.
        async with asyncio.timeout(60):
            while True:
                query = {"query": f"workflowType='{queue}~sideWorkflow' AND status=RUNNING"}
                if not (await client.get("/workflow/search", params=query)).json()["results"]:
                    break
                await asyncio.sleep(0.05)
