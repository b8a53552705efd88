"""Starting, signalling, pausing and terminating what other people's workers run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client

from flowyard import Runtime, WorkflowStatus
from flowyard.config import ComponentSpec
from flowyard.errors import (
    InstanceAlreadyExists,
    InstanceNotFound,
    InvalidRequest,
    UnsupportedOperation,
)
from flowyard.models import ReusePolicy
from temporal.conftest import OpenRuntime
from temporal.waiting import until

PATIENCE = timedelta(seconds=60)


@pytest.fixture
async def runtime(open_native: OpenRuntime) -> AsyncIterator[Runtime]:
    """A runtime that manages the native workflows."""
    async with open_native() as runtime:
        yield runtime


async def test_a_start_names_its_task_queue(open_native: OpenRuntime, native_queue: str) -> None:
    async with open_native(taskQueue="nobody") as runtime:
        instance_id = await runtime.start("Echo", input=1, options={"task_queue": native_queue})
        assert (await runtime.wait(instance_id, timeout=PATIENCE)).result() == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task_queu": "x"}, "knows no option 'task_queu' of a start"),
        ({"task_queue": ""}, "the option 'task_queue' is empty"),
        ({"spread_input": "yes"}, "is neither 'true' nor 'false'"),
        ({"spread_input": "true"}, "needs an array as the input"),
    ],
)
async def test_an_option_that_cannot_be_used_starts_nothing(
    runtime: Runtime, options: dict[str, str], says: str
) -> None:
    instance_id = uuid4().hex
    with pytest.raises(InvalidRequest, match=says):
        await runtime.start("Echo", instance_id=instance_id, options=options)
    with pytest.raises(InstanceNotFound):
        await runtime.get(instance_id)


async def test_a_refused_start_says_how_the_other_instance_is(runtime: Runtime) -> None:
    start_at = datetime.now(UTC) + timedelta(hours=1)
    instance_id = await runtime.start("Echo", start_at=start_at)
    with pytest.raises(InstanceAlreadyExists, match="is PENDING"):
        await runtime.start("Echo", instance_id=instance_id)
    await runtime.terminate(instance_id)
    with pytest.raises(InstanceAlreadyExists, match="is TERMINATED"):
        await runtime.start("Echo", instance_id=instance_id, reuse=ReusePolicy.REJECT)


async def test_a_start_shows_its_origin(open_native: OpenRuntime, temporal_server: str) -> None:
    async with open_native(identity="the clerk") as runtime:
        instance_id = await runtime.start("Echo", input=1)
        client = await Client.connect(temporal_server)
        history = await client.get_workflow_handle(instance_id).fetch_history()
        started = history.events[0].workflow_execution_started_event_attributes
        assert started.identity == "the clerk"


async def test_an_input_that_is_too_large_is_refused_and_starts_nothing(runtime: Runtime) -> None:
    instance_id = uuid4().hex
    with pytest.raises(InvalidRequest, match="component 'orders'"):
        await runtime.start("Echo", input="x" * 3_000_000, instance_id=instance_id)
    with pytest.raises(InstanceNotFound):
        await runtime.get(instance_id)


async def test_a_signal_reaches_a_handler_of_that_name(runtime: Runtime) -> None:
    instance_id = await runtime.start("Collector", input=3)
    for item in (None, {"a": 1}, [2]):
        await runtime.raise_event(instance_id, "item", {"item": item})
    state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert state.result() == [{"item": None}, {"item": {"a": 1}}, {"item": [2]}]


async def test_an_array_is_spread_to_several_arguments_where_that_is_asked_for(
    open_native: OpenRuntime,
) -> None:
    async with open_native(spreadSignals="swap, pair") as runtime:
        given = [{"a": 1.0}, None]
        instance_id = await runtime.start("Pairs", input=given, options={"spread_input": "true"})
        assert (await runtime.get(instance_id)).input == '[{"a":1.0},null]'
        await runtime.raise_event(instance_id, "pair", [["x"], 2])
        state = await runtime.wait(instance_id, timeout=PATIENCE)
        assert state.result() == [given, [["x"], 2]]
        # Signals of other names have one argument, and so has what is no array.
        other = await runtime.start("Waiter")
        await runtime.raise_event(other, "go", [1, 2])
        assert (await runtime.wait(other, timeout=PATIENCE)).result() == [1, 2]


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ("TERMINATE", WorkflowStatus.TERMINATED),
        ("REQUEST_CANCEL", WorkflowStatus.CANCELED),
    ],
)
async def test_children_end_with_their_parent_as_its_code_has_said(
    runtime: Runtime, policy: str, status: WorkflowStatus
) -> None:
    parent, child = await family(runtime, policy)
    assert await runtime.terminate(parent) is True
    assert (await runtime.wait(child, timeout=PATIENCE)).status is status


async def test_children_that_are_abandoned_outlive_their_parent(runtime: Runtime) -> None:
    parent, child = await family(runtime, "ABANDON")
    assert await runtime.terminate(parent) is True
    assert (await runtime.wait(parent, timeout=PATIENCE)).status is WorkflowStatus.TERMINATED
    await runtime.raise_event(child, "go", "on my own")
    assert (await runtime.wait(child, timeout=PATIENCE)).result() == "on my own"


async def test_an_abandoned_child_does_not_keep_its_parent_from_ending_alone(
    runtime: Runtime,
) -> None:
    parent, child = await family(runtime, "ABANDON")
    assert await runtime.terminate(parent, recursive=False) is True
    assert (await runtime.get(child)).status is WorkflowStatus.RUNNING
    await runtime.terminate(child)


@pytest.mark.parametrize("policy", ["TERMINATE", "REQUEST_CANCEL"])
async def test_a_parent_cannot_end_alone_if_its_code_has_said_otherwise(
    runtime: Runtime, policy: str
) -> None:
    parent, child = await family(runtime, policy)
    with pytest.raises(UnsupportedOperation, match=f"{child}.*parent close policy"):
        await runtime.terminate(parent, recursive=False)
    assert (await runtime.get(parent)).status is WorkflowStatus.RUNNING
    assert (await runtime.get(child)).status is WorkflowStatus.RUNNING
    await runtime.terminate(parent)


async def test_a_closed_parent_is_not_terminated_with_or_without_its_children(
    runtime: Runtime,
) -> None:
    parent, child = await family(runtime, "ABANDON")
    await runtime.raise_event(parent, "go")
    await runtime.wait(parent, timeout=PATIENCE)
    assert await runtime.terminate(parent) is False
    assert await runtime.terminate(parent, recursive=False) is False
    assert (await runtime.get(child)).status is WorkflowStatus.RUNNING
    await runtime.terminate(child)


async def test_a_delayed_start_cannot_be_paused(runtime: Runtime) -> None:
    start_at = datetime.now(UTC) + timedelta(hours=1)
    instance_id = await runtime.start("Echo", start_at=start_at)
    with pytest.raises(UnsupportedOperation, match="has not begun yet"):
        await runtime.pause(instance_id)
    assert await runtime.resume(instance_id) is False
    await runtime.terminate(instance_id)


@pytest.mark.parametrize("operation", ["pause", "resume"])
async def test_where_pausing_is_switched_off_the_refusal_names_the_setting(
    server_without_pause: str, operation: str
) -> None:
    metadata = {"hostPort": server_without_pause, "taskQueue": "nobody"}
    spec = ComponentSpec("orders", "workflow.temporal", metadata=metadata)
    async with Runtime.open([spec]) as runtime:
        instance_id = await runtime.start("Echo")
        verb = getattr(runtime, operation)
        with pytest.raises(UnsupportedOperation, match=r"frontend\.WorkflowPauseEnabled") as no:
            await verb(instance_id)
        assert no.value.operation == operation
        with pytest.raises(InstanceNotFound):
            await verb("unknown")
        await runtime.terminate(instance_id)
        assert await verb(instance_id) is False


async def test_a_pause_of_many_at_once_counts_each_once(runtime: Runtime) -> None:
    instances = [await runtime.start("Waiter") for _ in range(10)]
    paused = await asyncio.gather(*(runtime.pause(instance) for instance in instances * 2))
    assert sum(paused) == 10
    for instance in instances:
        await runtime.terminate(instance)


async def family(runtime: Runtime, policy: str) -> tuple[str, str]:
    """Start a parent and a child with this parent close policy; return their IDs."""
    child = uuid4().hex
    parent = await runtime.start("Family", input={child: policy})
    await until(lambda: runtime.get(parent), lambda state: state.custom_status == '"settled"')
    return parent, child
