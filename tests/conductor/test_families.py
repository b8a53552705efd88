"""Parents and children: a parent learns of each end, and ends nobody who is not its child."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from flowyard import App, InstanceQuery, Runtime, TaskFailedError, WorkflowContext, WorkflowStatus
from flowyard.config import ComponentSpec
from flowyard_conductor.hosted.parents import Parents

PATIENCE = timedelta(seconds=90)


def make_app() -> App:
    app = App()

    @app.workflow
    async def child(ctx: WorkflowContext) -> object:
        return await ctx.wait_for_external_event("go")

    @app.workflow
    async def parent(ctx: WorkflowContext, child_id: str) -> object:
        try:
            return await ctx.call_child_workflow(child, instance_id=child_id)
        except TaskFailedError as error:
            return error.details.error_type

    @app.workflow
    async def refused(ctx: WorkflowContext, child_id: str) -> object:
        try:
            await ctx.call_child_workflow(child, instance_id=child_id)
        except TaskFailedError:
            await ctx.wait_for_external_event("never")
        return None

    @app.workflow
    async def renewed(ctx: WorkflowContext, number: int) -> object:
        """Leave a child behind in the first execution, and begin another one in the second."""
        task = ctx.call_child_workflow(child)
        if number == 1:
            await ctx.wait_for_external_event("on")
            ctx.continue_as_new(2)
            return None
        return await task

    return app


@pytest.fixture
def spec(conductor_server: str) -> ComponentSpec:
    metadata: dict[str, object] = {
        "url": f"{conductor_server}/api",
        "taskQueue": f"family.{uuid4().hex[:8]}",
    }
    return ComponentSpec("orders", "workflow.conductor", metadata=metadata)


async def until_there(runtime: Runtime, workflow: str, count: int) -> list[str]:
    """Return the IDs of so many instances of a workflow, the newest first."""
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while True:
            page = await runtime.list(InstanceQuery(workflow=workflow))
            if len(page.instances) == count:
                return [state.instance_id for state in page.instances]
            await asyncio.sleep(0.05)


async def test_a_child_that_is_purged_before_its_parent_was_told_has_told_it(
    spec: ComponentSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_id = f"child-{uuid4().hex}"

    async def die_before(*_: object) -> None:
        """Do what a process does that is killed once the child's end is committed."""

    with monkeypatch.context() as patched:
        patched.setattr(Parents, "tell", die_before)
        async with Runtime.open([spec], make_app()) as runtime:
            parent_id = await runtime.start("parent", input=child_id)
            await until_there(runtime, "child", 1)
            await runtime.raise_event(child_id, "go", 7)
            await runtime.wait(child_id)
    async with Runtime.open([spec]) as manager:
        assert await manager.purge(child_id) == 1
    async with Runtime.open([spec], make_app()) as runtime:
        assert (await runtime.wait(parent_id, timeout=PATIENCE)).result() == 7


async def test_the_parent_of_a_child_that_was_removed_in_conductor_is_told(
    spec: ComponentSpec,
) -> None:
    child_id = f"child-{uuid4().hex}"
    url = str(spec.metadata["url"])
    async with Runtime.open([spec], make_app()) as runtime, httpx.AsyncClient() as client:
        parent_id = await runtime.start("parent", input=child_id)
        await until_there(runtime, "child", 1)
        query = {"query": f"correlationId='{child_id}'"}
        found = (await client.get(f"{url}/workflow/search", params=query)).json()["results"]
        for run in found:
            path = f"{url}/workflow/{run['workflowId']}/remove"
            await client.delete(path, params={"archiveWorkflow": False})
        state = await runtime.wait(parent_id, timeout=PATIENCE)
    assert state.result() == "WorkflowRemoved"


async def test_who_asks_for_a_child_with_the_id_of_another_does_not_end_it(
    spec: ComponentSpec,
) -> None:
    victim = f"victim-{uuid4().hex}"
    async with Runtime.open([spec], make_app()) as runtime:
        await runtime.start("child", instance_id=victim)
        parents = [await runtime.start("refused", input=victim) for _ in range(4)]
        for parent_id in parents:
            assert await runtime.terminate(parent_id) is True
            assert (await runtime.wait(parent_id)).status is WorkflowStatus.TERMINATED
        assert (await runtime.get(victim)).status is WorkflowStatus.RUNNING
        await runtime.raise_event(victim, "go", 1)
        assert (await runtime.wait(victim)).result() == 1


async def test_children_of_all_executions_have_ids_of_their_own_and_end_with_their_parent(
    spec: ComponentSpec,
) -> None:
    async with Runtime.open([spec], make_app()) as runtime:
        parent_id = await runtime.start("renewed", input=1)
        await until_there(runtime, "child", 1)
        await runtime.raise_event(parent_id, "on")
        children = await until_there(runtime, "child", 2)
        assert len(set(children)) == 2
        await runtime.terminate(parent_id)
        for child in (parent_id, *children):
            state = await runtime.wait(child, timeout=PATIENCE)
            assert state.status is WorkflowStatus.TERMINATED
        assert await runtime.purge(parent_id) == 3
