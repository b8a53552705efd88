"""A purge has really happened when it returns, or says what is still to come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.errors import BackendUnavailable, InstanceNotClosed, InstanceNotFound
from servers.fixtures import StartTemporal
from temporal.conftest import OpenRuntime, native_worker
from temporal.waiting import until

PATIENCE = timedelta(seconds=60)


@pytest.fixture
async def runtime(open_native: OpenRuntime) -> AsyncIterator[Runtime]:
    """A runtime that manages the native workflows."""
    async with open_native() as runtime:
        yield runtime


@pytest.fixture
async def client(temporal_server: str) -> Client:
    """Somebody else's client."""
    return await Client.connect(temporal_server)


async def test_every_run_is_gone(runtime: Runtime, client: Client, native_queue: str) -> None:
    instance_id = uuid4().hex
    runs = []
    for number in range(3):
        await runtime.start("Echo", input=number, instance_id=instance_id)
        state = await runtime.wait(instance_id, timeout=PATIENCE)
        assert state.result() == number
        runs.append(await run_of(client, instance_id))
    handle = await client.start_workflow(
        "Renewed", args=[f"{instance_id}-child", 4], id=instance_id, task_queue=native_queue
    )
    assert handle.first_execution_run_id is not None
    runs.append(handle.first_execution_run_id)
    await runtime.wait(instance_id, timeout=PATIENCE)
    runs.append(await run_of(client, instance_id))
    assert len(set(runs)) == 5
    assert await runtime.purge(instance_id) == 2
    for run_id in (*runs, ""):
        assert not await is_there(client, instance_id, run_id)
    assert not await is_there(client, f"{instance_id}-child")
    await until(lambda: listed(client, instance_id), lambda found: found == [])
    with pytest.raises(InstanceNotFound):
        await runtime.purge(instance_id)


async def test_children_stay_if_they_are_to(runtime: Runtime, client: Client) -> None:
    child = uuid4().hex
    parent = await runtime.start("Family", input={child: "ABANDON"})
    await until(lambda: runtime.get(parent), lambda state: state.custom_status is not None)
    await runtime.terminate(parent)
    assert await runtime.purge(parent, recursive=False) == 1
    assert not await is_there(client, parent)
    await runtime.raise_event(child, "go", "still there")
    assert (await runtime.wait(child, timeout=PATIENCE)).result() == "still there"


async def test_nothing_is_removed_while_a_child_runs(runtime: Runtime, client: Client) -> None:
    child = uuid4().hex
    parent = await runtime.start("Family", input={child: "ABANDON"})
    await until(lambda: runtime.get(parent), lambda state: state.custom_status is not None)
    await runtime.terminate(parent)
    with pytest.raises(InstanceNotClosed, match=child):
        await runtime.purge(parent)
    assert await is_there(client, parent)
    assert await is_there(client, child)
    await runtime.terminate(child)
    assert await runtime.purge(parent) == 2


async def test_an_instance_with_a_running_successor_is_left_alone(
    runtime: Runtime, client: Client
) -> None:
    instance_id = await runtime.start("Echo", input=1)
    await runtime.wait(instance_id, timeout=PATIENCE)
    first = await run_of(client, instance_id)
    await runtime.start("Waiter", instance_id=instance_id)
    with pytest.raises(InstanceNotClosed, match="RUNNING"):
        await runtime.purge(instance_id)
    assert await is_there(client, instance_id, first)
    await runtime.terminate(instance_id)
    assert await runtime.purge(instance_id) == 1


async def test_a_purge_that_outlasts_its_deadline_says_so_and_can_be_repeated(
    start_temporal: StartTemporal, tmp_path: Path
) -> None:
    # A server as anybody has it takes half a minute.
    with (
        start_temporal(dynamic_config={}) as server,
        native_worker(server.address, tmp_path) as queue,
    ):
        client = await Client.connect(server.address)
        async with managing(server.address, queue, purgeTimeout="0.5") as hasty:
            instance_id = await hasty.start("Echo", input=1)
            await hasty.wait(instance_id, timeout=PATIENCE)
            says = rf"accepted the purge.*{instance_id}.*within 0\.5 s \(purgeTimeout\)"
            with pytest.raises(BackendUnavailable, match=says):
                await hasty.purge(instance_id)
            assert await is_there(client, instance_id)
        async with managing(server.address, queue, purgeTimeout="200") as patient:
            assert await patient.purge(instance_id) == 1
        assert not await is_there(client, instance_id)


def managing(address: str, queue: str, **metadata: str) -> AbstractAsyncContextManager[Runtime]:
    """Open a runtime on a server of the test's own."""
    given = {"hostPort": address, "taskQueue": queue, **metadata}
    return Runtime.open([ComponentSpec("orders", "workflow.temporal", metadata=given)])


async def run_of(client: Client, instance_id: str) -> str:
    """Return the ID of the current run."""
    description = await client.get_workflow_handle(instance_id).describe()
    return description.run_id


async def is_there(client: Client, instance_id: str, run_id: str = "") -> bool:
    """Ask the server itself whether it has a run."""
    request = DescribeWorkflowExecutionRequest(
        namespace="default",
        execution=WorkflowExecution(workflow_id=instance_id, run_id=run_id),
    )
    try:
        await client.workflow_service.describe_workflow_execution(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def listed(client: Client, instance_id: str) -> list[str]:
    """Ask the server itself which runs it lists."""
    request = ListWorkflowExecutionsRequest(
        namespace="default", query=f"WorkflowId = '{instance_id}'"
    )
    # The server lets a namespace list only some times a second.
    answer = await client.workflow_service.list_workflow_executions(request, retry=True)
    return [execution.execution.run_id for execution in answer.executions]
