"""What `get` tells of workflows that other people's workers run."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import RetryPolicy

from flowyard import Runtime, WorkflowStatus
from flowyard.models import WorkflowState
from temporal.conftest import OpenRuntime
from temporal.waiting import until

RUNNING, CLOSED = WorkflowStatus.RUNNING, timedelta(seconds=60)


@pytest.fixture
async def runtime(open_native: OpenRuntime) -> AsyncIterator[Runtime]:
    """A runtime that manages the native workflows."""
    async with open_native() as runtime:
        yield runtime


@pytest.fixture
async def client(temporal_server: str) -> Client:
    """Somebody else's client."""
    return await Client.connect(temporal_server)


async def test_arguments_of_a_start_by_somebody_else(
    runtime: Runtime, client: Client, native_queue: str
) -> None:
    other = await runtime.start("Waiter")
    handle = await client.start_workflow(
        "Steps", args=[1, other], id=uuid4().hex, task_queue=native_queue
    )
    state = await runtime.wait(handle.id, timeout=CLOSED)
    assert json.loads(state.input or "") == [1, other]


async def test_payloads_that_are_no_json(
    runtime: Runtime, client: Client, native_queue: str
) -> None:
    async def echoed(value: object) -> WorkflowState:
        handle = await client.start_workflow("Echo", value, id=uuid4().hex, task_queue=native_queue)
        return await runtime.wait(handle.id, timeout=CLOSED)

    of_bytes = await echoed(b"\x00\x01")
    assert (of_bytes.input, of_bytes.output) == ('"AAE="', '"AAE="')
    of_nothing = await echoed(None)
    assert (of_nothing.input, of_nothing.output) == ("null", "null")


async def test_a_custom_status_is_in_the_memo(runtime: Runtime) -> None:
    instance_id = await runtime.start("Collector", input=2)
    await runtime.raise_event(instance_id, "item", "a")
    state = await until(
        lambda: runtime.get(instance_id), lambda state: state.custom_status is not None
    )
    assert state.custom_status == '{"items":1}'
    assert (await runtime.get(instance_id, payloads=False)).custom_status == '{"items":1}'
    await runtime.raise_event(instance_id, "item", "b")
    assert (await runtime.wait(instance_id, timeout=CLOSED)).custom_status == '{"items":2}'


async def test_a_failed_activity_is_the_cause_of_the_failure(runtime: Runtime) -> None:
    instance_id = await runtime.start("Breaking", input="no stock")
    state = await runtime.wait(instance_id, timeout=CLOSED)
    assert state.status is WorkflowStatus.FAILED
    assert state.failure is not None
    assert state.failure.error_type == "ActivityError"
    assert state.failure.cause is not None
    cause = state.failure.cause
    assert (cause.error_type, cause.message) == ("ValueError", "no stock")
    assert "ValueError: no stock" in (cause.stack_trace or "")


async def test_code_that_keeps_breaking_its_workflow_task_is_stalled(runtime: Runtime) -> None:
    instance_id = await runtime.start("Broken")
    state = await until(
        lambda: runtime.get(instance_id), lambda state: state.status is WorkflowStatus.STALLED
    )
    assert state.failure is not None
    assert state.failure.error_type == "RuntimeError"
    assert state.failure.message == "this code is wrong"
    assert state.detail == "this code is wrong"
    bare = await runtime.get(instance_id, payloads=False)
    assert (bare.status, bare.failure) == (WorkflowStatus.STALLED, None)
    # What happens meanwhile does not hide it.
    await runtime.raise_event(instance_id, "other", 1)
    assert (await runtime.get(instance_id)).status in {WorkflowStatus.STALLED, RUNNING}
    await until(
        lambda: runtime.get(instance_id), lambda state: state.status is WorkflowStatus.STALLED
    )
    assert await runtime.terminate(instance_id) is True
    assert (await runtime.get(instance_id)).status is WorkflowStatus.TERMINATED


async def test_a_workflow_that_no_worker_takes_says_so(runtime: Runtime) -> None:
    instance_id = await runtime.start("Echo", options={"task_queue": "nobody"})
    state = await runtime.get(instance_id)
    assert state.status is RUNNING
    assert state.detail == "no worker of task queue 'nobody' has taken its next turn yet"
    await runtime.terminate(instance_id)


async def test_a_delayed_start_is_pending_and_says_when_it_begins(runtime: Runtime) -> None:
    start_at = datetime.now(UTC) + timedelta(days=1)
    instance_id = await runtime.start("Echo", start_at=start_at)
    for state in (await runtime.get(instance_id), await runtime.get(instance_id, payloads=False)):
        assert state.status is WorkflowStatus.PENDING
        assert state.detail is not None
        begins = datetime.fromisoformat(state.detail.removeprefix("it begins at "))
        assert abs(begins - start_at) < timedelta(minutes=1)
    await runtime.terminate(instance_id)


async def test_a_termination_by_somebody_else_shows_its_reason(
    runtime: Runtime, client: Client
) -> None:
    instance_id = await runtime.start("Waiter")
    await client.get_workflow_handle(instance_id).terminate(reason="the order was a mistake")
    states = [
        await runtime.wait(instance_id, timeout=CLOSED),
        await runtime.get(instance_id),
        await runtime.get(instance_id, payloads=False),
    ]
    for state in states:
        assert state.status is WorkflowStatus.TERMINATED
        assert state.detail == "the order was a mistake"


@pytest.mark.parametrize("schedule", ["retry", "cron"])
async def test_an_attempt_that_is_still_to_come_tells_how_the_one_before_has_failed(
    runtime: Runtime, client: Client, native_queue: str, schedule: str
) -> None:
    is_retry = schedule == "retry"
    handle = await client.start_workflow(
        "Failing",
        "no stock",
        id=uuid4().hex,
        task_queue=native_queue,
        retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)) if is_retry else None,
        cron_schedule="" if is_retry else "@every 2s",
    )
    state = await until(lambda: runtime.get(handle.id), lambda state: state.failure is not None)
    assert state.status is WorkflowStatus.PENDING
    assert state.failure is not None
    assert (state.failure.error_type, state.failure.message) == ("ValueError", "no stock")
    which = "attempt 2" if is_retry else "a run by its schedule"
    assert state.detail is not None
    assert state.detail.startswith("it begins at ")
    assert state.detail.endswith(f"({which}; the one before failed: ValueError: no stock)")
    await runtime.terminate(handle.id)


async def test_an_activity_that_is_tried_again_tells_how_it_has_failed(runtime: Runtime) -> None:
    instance_id = await runtime.start("Insisting", input="no stock")
    state = await until(
        lambda: runtime.get(instance_id), lambda state: "attempt" in (state.detail or "")
    )
    assert state.status is RUNNING
    assert state.detail is not None
    assert state.detail.startswith("activity 'break' is in attempt 2, which begins at ")
    assert state.detail.endswith("; the one before failed: ValueError: no stock")
    assert (await runtime.get(instance_id, payloads=False)).detail == state.detail
    await runtime.terminate(instance_id)


async def test_a_cancelled_workflow(runtime: Runtime, client: Client) -> None:
    instance_id = await runtime.start("Waiter")
    await client.get_workflow_handle(instance_id).cancel()
    state = await runtime.wait(instance_id, timeout=CLOSED)
    assert (state.status, state.failure) == (WorkflowStatus.CANCELED, None)
    assert await runtime.raise_event(instance_id, "go") is False


async def test_a_workflow_that_ran_out_of_time_has_failed(
    runtime: Runtime, client: Client, native_queue: str
) -> None:
    handle = await client.start_workflow(
        "Waiter",
        id=uuid4().hex,
        task_queue=native_queue,
        execution_timeout=timedelta(milliseconds=500),
    )
    state = await runtime.wait(handle.id, timeout=CLOSED)
    assert state.status is WorkflowStatus.FAILED
    assert state.failure is not None
    assert state.failure.error_type == "TimeoutError"
    assert "timeout" in state.failure.message


async def test_a_child_names_its_parent(runtime: Runtime) -> None:
    child = uuid4().hex
    parent = await runtime.start("Family", input={child: "TERMINATE"})
    await until(lambda: runtime.get(parent), lambda state: state.custom_status == '"settled"')
    assert (await runtime.get(child)).parent_instance_id == parent
    assert (await runtime.get(parent)).parent_instance_id is None
    await runtime.terminate(parent)


async def test_after_continue_as_new_the_latest_run_is_the_instance(
    runtime: Runtime, client: Client, native_queue: str
) -> None:
    instance_id = uuid4().hex
    await client.start_workflow(
        "Renewed", args=[f"{instance_id}-child", 3], id=instance_id, task_queue=native_queue
    )
    state = await runtime.wait(instance_id, timeout=CLOSED)
    assert state.status is WorkflowStatus.COMPLETED
    assert state.result() == "done"
    assert json.loads(state.input or "")[1] == 1


async def test_what_is_paused_with_temporals_own_tools_is_suspended(
    runtime: Runtime, open_native: OpenRuntime
) -> None:
    instance_id = await runtime.start("Waiter")
    async with open_native(identity="somebody") as other:
        assert await other.pause(instance_id, reason="stock-taking") is True
    for state in (await runtime.get(instance_id), await runtime.get(instance_id, payloads=False)):
        assert state.status is WorkflowStatus.SUSPENDED
        assert state.detail == "stock-taking"
    await runtime.terminate(instance_id)


async def test_a_workflow_that_was_reset_is_read(runtime: Runtime, client: Client) -> None:
    instance_id = await runtime.start("Waiter", input="kept")
    await runtime.raise_event(instance_id, "go", 1)
    before = await runtime.wait(instance_id, timeout=CLOSED)
    first_task = 4
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=instance_id),
            reason="again",
            workflow_task_finish_event_id=first_task,
            request_id=uuid4().hex,
        )
    )
    state = await runtime.wait(instance_id, timeout=CLOSED)
    assert (state.input, state.result()) == ('"kept"', 1)
    assert state.created_at >= before.created_at


async def test_a_terminated_workflow_of_somebody_else_has_their_details_as_output(
    runtime: Runtime, client: Client
) -> None:
    instance_id = await runtime.start("Waiter")
    await client.get_workflow_handle(instance_id).terminate("one", {"two": 2}, reason="enough")
    state = await runtime.get(instance_id)
    assert state.status is WorkflowStatus.TERMINATED
    assert json.loads(state.output or "") == ["one", {"two": 2}]


async def test_without_payloads_no_history_is_read(runtime: Runtime) -> None:
    instance_id = await runtime.start("Failing", input="secret")
    await runtime.wait(instance_id, timeout=CLOSED)
    state = await runtime.get(instance_id, payloads=False)
    assert state.status is WorkflowStatus.FAILED
    assert (state.input, state.output, state.failure) == (None, None, None)
    whole = await runtime.get(instance_id)
    assert (state.created_at, state.last_updated_at) == (whole.created_at, whole.last_updated_at)
