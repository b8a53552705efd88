"""What an ID stands for: one workflow of Conductor's, or none."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest

from conductor.conftest import OpenRuntime
from flowyard import Runtime
from flowyard.errors import InstanceNotFound, InvalidRequest
from flowyard.models import InstanceQuery, StartRequest, WorkflowStatus

ODD_IDS = [
    "order/42 (EU)",
    "it's",
    'say "so"',
    "a, b",
    "back\\slash",
    "two\nlines",
    "this AND that",
    " blanks ",
    "100% _sure_*",
    "Größe",
]


async def start_elsewhere(url: str, workflow: str, correlation_id: str) -> str:
    """Start a native workflow as others do, and return Conductor's own ID of it."""
    async with httpx.AsyncClient(base_url=url) as client:
        body = {"name": workflow, "correlationId": correlation_id, "input": {}}
        return (await client.post("/workflow", json=body)).raise_for_status().text


async def until_listed(runtime: Runtime, workflow: str, count: int, since: str) -> list[str]:
    """Return the IDs of workflows of that definition which come after those of `since`."""
    async with asyncio.timeout(60):
        while True:
            page = await runtime.list(InstanceQuery(workflow=workflow))
            found = [state.instance_id for state in page.instances]
            new = found[: found.index(since)] if since in found else found
            if len(new) >= count:
                return new
            await asyncio.sleep(0.05)


async def test_a_star_in_an_id_is_only_a_character(open_native: OpenRuntime) -> None:
    prefix = f"star-{uuid4().hex}"
    async with open_native() as runtime:
        for number in range(2):
            await runtime.start("native-waiter", instance_id=f"{prefix}-{number}")
        for asked in (f"{prefix}-*", f"{prefix}*", f"{prefix.upper()}-0"):
            with pytest.raises(InstanceNotFound):
                await runtime.get(asked)
            with pytest.raises(InstanceNotFound):
                await runtime.terminate(asked)
            with pytest.raises(InstanceNotFound):
                await runtime.purge(asked)
        for number in range(2):
            state = await runtime.get(f"{prefix}-{number}")
            assert state.status is WorkflowStatus.RUNNING
            await runtime.terminate(f"{prefix}-{number}")


@pytest.mark.parametrize("odd", ODD_IDS)
async def test_an_id_of_any_characters_is_found(
    open_native: OpenRuntime, native_url: str, odd: str
) -> None:
    instance_id = f"{uuid4().hex}{odd}"
    async with open_native() as runtime:
        component = runtime.component()
        await component.start(StartRequest("native-waiter", instance_id))
        assert (await runtime.get(instance_id)).instance_id == instance_id
        assert await runtime.terminate(instance_id) is True
        page = await runtime.list(InstanceQuery(instance_id_prefix=instance_id))
        assert [state.instance_id for state in page.instances] == [instance_id]
        assert await runtime.purge(instance_id) == 1
        key = f"{uuid4().hex}{odd}"
        workflow_id = await start_elsewhere(native_url, "native-waiter", key)
        assert (await runtime.get(key)).instance_id == workflow_id
        await runtime.terminate(workflow_id)


async def test_a_compensation_is_another_instance(open_native: OpenRuntime) -> None:
    instance_id = f"order-{uuid4().hex}"
    async with open_native() as runtime:
        before = await runtime.start("native-compensation")
        await runtime.start("native-order", instance_id=instance_id)
        assert (await runtime.wait(instance_id)).status is WorkflowStatus.FAILED
        (compensation,) = await until_listed(runtime, "native-compensation", 1, before)
        assert (await runtime.wait(compensation)).result() == {"compensated": True}
        assert (await runtime.wait(instance_id)).status is WorkflowStatus.FAILED
        # The ID is taken again, also after what compensates.
        await runtime.start("native-order", instance_id=instance_id)
        assert (await runtime.wait(instance_id)).status is WorkflowStatus.FAILED
        assert await runtime.purge(instance_id) == 1
        assert (await runtime.get(compensation)).status is WorkflowStatus.COMPLETED


async def test_what_a_workflow_starts_is_another_instance(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        before = await runtime.start("native-waiter")
        instance_id = await runtime.start("native-starter")
        (started,) = await until_listed(runtime, "native-waiter", 1, before)
        assert (await runtime.get(instance_id)).workflow == "native-starter"
        assert await runtime.terminate(instance_id) is True
        assert (await runtime.get(started)).status is WorkflowStatus.RUNNING
        assert await runtime.purge(instance_id) == 1
        for run_id in (before, started):
            await runtime.terminate(run_id)


async def test_a_key_of_several_workflows_is_refused_and_their_own_ids_are_not(
    open_native: OpenRuntime, native_url: str
) -> None:
    key = f"customer-{uuid4().hex}"
    async with open_native() as runtime:
        first = await start_elsewhere(native_url, "native-waiter", key)
        assert (await runtime.get(key)).instance_id == first
        second = await start_elsewhere(native_url, "native-waiter", key)
        for refused in (runtime.get, runtime.terminate, runtime.purge, runtime.pause, runtime.wait):
            with pytest.raises(InvalidRequest, match=f"of 2 workflows.*{second}, {first}"):
                await refused(key)
        for workflow_id in (first, second):
            assert (await runtime.get(workflow_id)).status is WorkflowStatus.RUNNING
            assert await runtime.terminate(workflow_id) is True
            assert await runtime.purge(workflow_id) == 1


async def test_a_child_names_a_parent_that_is_found(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        before = await runtime.start("native-waiter")
        parent = await runtime.start("native-parent", instance_id=f"parent-{uuid4().hex}")
        (child,) = await until_listed(runtime, "native-waiter", 1, before)
        told = (await runtime.get(child)).parent_instance_id
        assert told is not None
        assert (await runtime.get(told)).instance_id == parent
        for run_id in (parent, before):
            await runtime.terminate(run_id)
