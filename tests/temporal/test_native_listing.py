"""Listings: one row for each instance, as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client

from flowyard import Runtime, WorkflowStatus
from flowyard.config import ComponentSpec
from flowyard.errors import BackendUnavailable, InvalidRequest
from flowyard.models import InstanceQuery, WorkflowState
from servers.fixtures import StartTemporal
from temporal.conftest import OpenRuntime
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


async def test_a_replaced_run_is_not_listed(runtime: Runtime) -> None:
    prefix = uuid4().hex
    await runtime.start("Failing", input="x", instance_id=prefix)
    await runtime.wait(prefix, timeout=PATIENCE)
    await runtime.start("Waiter", instance_id=prefix)
    assert [state.status for state in await listed(runtime, prefix)] == [WorkflowStatus.RUNNING]
    assert await listed(runtime, prefix, WorkflowStatus.FAILED) == []
    await runtime.terminate(prefix)


async def test_a_renewed_instance_is_listed_once(
    runtime: Runtime, client: Client, native_queue: str
) -> None:
    prefix = uuid4().hex
    await client.start_workflow(
        "Renewed", args=[f"child-of-{prefix}", 4], id=prefix, task_queue=native_queue
    )
    await runtime.wait(prefix, timeout=PATIENCE)
    assert [state.status for state in await listed(runtime, prefix)] == [WorkflowStatus.COMPLETED]
    assert await listed(runtime, prefix, WorkflowStatus.CONTINUED_AS_NEW) == []


async def test_pending_stalled_and_running_are_told_apart(runtime: Runtime) -> None:
    prefix = uuid4().hex
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await runtime.start("Echo", instance_id=f"{prefix}-pending", start_at=tomorrow)
    await runtime.start("Waiter", instance_id=f"{prefix}-running")
    await runtime.start("Broken", instance_id=f"{prefix}-stalled")
    await until(
        lambda: runtime.get(f"{prefix}-stalled"),
        lambda state: state.status is WorkflowStatus.STALLED,
    )
    for status in (WorkflowStatus.PENDING, WorkflowStatus.RUNNING, WorkflowStatus.STALLED):
        found = await listed(runtime, prefix, status)
        assert [(state.instance_id, state.status) for state in found] == [
            (f"{prefix}-{status.lower()}", status)
        ]
    for state in await listed(runtime, prefix):
        await runtime.terminate(state.instance_id)


async def test_a_workflow_that_ran_out_of_time_is_listed_as_failed(
    runtime: Runtime, client: Client, native_queue: str
) -> None:
    prefix = uuid4().hex
    await client.start_workflow(
        "Waiter",
        id=prefix,
        task_queue=native_queue,
        execution_timeout=timedelta(milliseconds=300),
    )
    await runtime.wait(prefix, timeout=PATIENCE)
    found = await listed(runtime, prefix, WorkflowStatus.FAILED)
    assert [state.instance_id for state in found] == [prefix]


async def test_a_row_is_as_get_tells_it_without_payloads(runtime: Runtime) -> None:
    prefix = uuid4().hex
    await runtime.start("Echo", input="x", instance_id=prefix)
    await runtime.wait(prefix, timeout=PATIENCE)
    assert await listed(runtime, prefix) == [await runtime.get(prefix, payloads=False)]


@pytest.mark.parametrize("name", ["it's", 'a "b"', "back\\slash", "%", "x' OR WorkflowId != 'x"])
async def test_a_name_is_taken_literally(runtime: Runtime, name: str) -> None:
    prefix = uuid4().hex
    nobody = {"task_queue": "nobody"}
    await runtime.start(name, instance_id=f"{prefix}-1", options=nobody)
    await runtime.start("other", instance_id=f"{prefix}-2", options=nobody)
    page = await runtime.list(InstanceQuery(workflow=name, instance_id_prefix=prefix))
    assert [instance.instance_id for instance in page.instances] == [f"{prefix}-1"]
    for number in (1, 2):
        await runtime.terminate(f"{prefix}-{number}")


@pytest.mark.parametrize("token", ["nonsense", "AAAA", "!", "AAAAAAAAAAAAAAAAAAAAAA=="])
async def test_a_token_that_was_not_given_is_refused(runtime: Runtime, token: str) -> None:
    with pytest.raises(InvalidRequest):
        await runtime.list(InstanceQuery(continuation_token=token))


async def test_many_instances_are_listed_page_by_page(runtime: Runtime) -> None:
    prefix = uuid4().hex
    count = 120
    nobody = {"task_queue": "nobody"}
    started = [f"{prefix}-{number}" for number in range(count)]
    await asyncio.gather(
        *(runtime.start("Echo", instance_id=instance_id, options=nobody) for instance_id in started)
    )
    found: list[str] = []
    token: str | None = None
    while len(found) < count:
        query = InstanceQuery(instance_id_prefix=prefix, page_size=50, continuation_token=token)
        page = await runtime.list(query)
        found += [instance.instance_id for instance in page.instances]
        token = page.continuation_token
        if token is None:
            break
        # What has been shown closes, and moves behind what has not.
        await asyncio.gather(
            *(runtime.terminate(instance.instance_id) for instance in page.instances)
        )
    assert sorted(found) == sorted(started)
    await asyncio.gather(*(runtime.terminate(instance_id) for instance_id in started))


async def test_more_listings_than_the_server_allows_are_refused_and_can_be_repeated(
    start_temporal: StartTemporal,
) -> None:
    strict = {"frontend.namespaceRPS.visibility": "1"}
    with start_temporal(dynamic_config=strict) as server:

        def managing(patience: str) -> AbstractAsyncContextManager[Runtime]:
            metadata = {"hostPort": server.address, "requestTimeout": patience}
            return Runtime.open([ComponentSpec("orders", "workflow.temporal", metadata=metadata)])

        async with managing("0.2") as hasty:
            answers = await asyncio.gather(
                *(hasty.list() for _ in range(30)), return_exceptions=True
            )
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert refused
        for failed in refused:
            assert isinstance(failed, BackendUnavailable)
            assert "has received too many requests" in str(failed)
        async with managing("30") as patient:
            assert (await patient.list()).instances == ()


async def listed(runtime: Runtime, prefix: str, *status: WorkflowStatus) -> list[WorkflowState]:
    """Return what a listing finds."""
    query = InstanceQuery(instance_id_prefix=prefix, status=frozenset(status))
    return list((await runtime.list(query)).instances)
