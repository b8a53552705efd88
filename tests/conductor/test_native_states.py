"""What is told of native workflows."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from conductor.conftest import OpenRuntime
from conductor.programs.load import spec_of
from flowyard import App, Runtime, WorkflowContext
from flowyard.backend.history import EventRaised
from flowyard.errors import UnsupportedOperation, WorkflowNotRegistered
from flowyard.models import InstanceQuery, WorkflowState, WorkflowStatus


async def until_detail(runtime: Runtime, instance_id: str, detail: str) -> WorkflowState:
    """Return the state once it says that."""
    async with asyncio.timeout(60):
        while True:
            state = await runtime.get(instance_id)
            if state.detail == detail:
                return state
            await asyncio.sleep(0.05)


async def test_a_listing_tells_what_get_tells(open_native: OpenRuntime) -> None:
    prefix = f"told-{uuid4().hex}"
    async with open_native() as runtime:
        waiting = await runtime.start(
            "native-approval", input={"who": "Ada"}, instance_id=f"{prefix}-waiting"
        )
        await until_detail(runtime, waiting, "waits for event 'Approval'")
        failed = await runtime.start("native-failing", input="x", instance_id=f"{prefix}-failed")
        await runtime.wait(failed)
        page = await runtime.list(InstanceQuery(instance_id_prefix=prefix))
        got = [
            await runtime.get(instance.instance_id, payloads=False) for instance in page.instances
        ]
        assert list(page.instances) == got
        assert {instance.custom_status for instance in page.instances} == {'{"asked":"Ada"}', None}
        assert all(instance.detail for instance in page.instances)
        await runtime.terminate(waiting)


@pytest.mark.parametrize(
    ("workflow", "status", "output"),
    [
        ("native-order", WorkflowStatus.FAILED, '"paid":false'),
        ("native-stopping", WorkflowStatus.TERMINATED, '{"stopped":true}'),
    ],
)
async def test_what_did_not_complete_may_have_an_output(
    open_native: OpenRuntime, workflow: str, status: WorkflowStatus, output: str
) -> None:
    async with open_native() as runtime:
        state = await runtime.wait(await runtime.start(workflow))
    assert state.status is status
    assert state.output is not None
    assert output in state.output


async def test_what_is_not_on_the_server_is_told_in_words_that_fit(
    open_native: OpenRuntime, native_url: str
) -> None:
    queue = f"words.{uuid4().hex[:8]}"
    app = App()

    @app.workflow
    async def greeting(ctx: WorkflowContext) -> object:
        return await ctx.wait_for_external_event("go")

    async with open_native(taskQueue=queue) as runtime:
        with pytest.raises(WorkflowNotRegistered, match="no version 77 of a definition") as caught:
            await runtime.start("native-echo", options={"version": "77"})
        assert "@app" not in str(caught.value)
        with pytest.raises(WorkflowNotRegistered, match=f"on task queue '{queue}'"):
            await runtime.start("greeting")
        async with Runtime.open([spec_of(native_url, queue)], app):
            pass
        with pytest.raises(WorkflowNotRegistered, match="no definition 'greting'") as caught:
            await runtime.start("greting")
        assert "@app" not in str(caught.value)
        instance_id = await runtime.start("greeting")
        assert (await runtime.get(instance_id)).status is WorkflowStatus.PENDING
        await runtime.terminate(instance_id)


async def test_what_is_waited_for_can_be_found_out(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-loop", input={"rounds": [1, 2]})
        await until_detail(runtime, instance_id, "waits for event 'go'")
        with pytest.raises(UnsupportedOperation, match=r"\(open: 'go'\)"):
            await runtime.raise_event(instance_id, "stop")
        assert await runtime.raise_event(instance_id, "GO", 1)
        await until_detail(runtime, instance_id, "waits for event 'go'")
        assert await runtime.raise_event(instance_id, "go", 2)
        await runtime.wait(instance_id)
        raised = [
            event for event in await runtime.history(instance_id) if isinstance(event, EventRaised)
        ]
    assert [(event.name, event.input) for event in raised] == [("go", "1"), ("go", "2")]
