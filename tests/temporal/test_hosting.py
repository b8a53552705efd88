"""Hosted instances as Temporal sees them, and what Temporal alone can do to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from flowyard import ActivityContext, App, Runtime, WorkflowContext, WorkflowStatus
from flowyard.backend.history import TimerCreated
from flowyard.config import ComponentSpec
from flowyard.errors import InvalidRequest
from flowyard.executors.local import LocalExecutor
from flowyard.executors.remote import RemoteExecutors
from flowyard.models import WorkflowState
from remote_component import work

PATIENCE = timedelta(seconds=60)

app = App()


@app.activity
async def double(_context: ActivityContext, value: int) -> int:
    return 2 * value


@app.workflow
async def nap(ctx: WorkflowContext, milliseconds: int) -> int:
    await ctx.create_timer(timedelta(milliseconds=milliseconds))
    return milliseconds


@app.workflow
async def everything(ctx: WorkflowContext, value: int) -> list[int]:
    """Do one thing of each kind, in the second of two executions."""
    if value == 0:
        ctx.continue_as_new(1)
        return []
    ctx.set_custom_status({"step": value})
    doubled = await ctx.call_activity(double, input=value)
    napped = await ctx.call_child_workflow(nap, input=1, instance_id=f"{ctx.instance_id}-nap")
    added = await ctx.wait_for_external_event("add")
    return [doubled, napped, added]


@app.activity
async def make(_context: ActivityContext, size: int) -> str:
    return "x" * size


@app.activity
async def measure(_context: ActivityContext, text: str) -> int:
    return len(text)


@app.workflow
async def receiving(ctx: WorkflowContext, size: int) -> int:
    return len(await ctx.call_activity(make, input=size))


@app.workflow
async def passing(ctx: WorkflowContext, size: int) -> int:
    return await ctx.call_activity(measure, input="x" * size)


@app.workflow
async def returning(_context: WorkflowContext, size: int) -> str:
    return "x" * size


@app.workflow
async def confiding(ctx: WorkflowContext, size: int) -> int:
    ctx.set_custom_status("x" * size)
    return await ctx.call_activity(double, input=1)


@app.workflow
async def renewing(ctx: WorkflowContext, given: int | str) -> int:
    if isinstance(given, int):
        ctx.continue_as_new("x" * given)
    return 0


@workflow.defn
class CallsDouble:
    """Somebody else's workflow that calls an activity of the app."""

    @workflow.run
    async def run(self, queue: str, value: int) -> int:
        result: int = await workflow.execute_activity(
            "double", value, task_queue=queue, start_to_close_timeout=timedelta(seconds=10)
        )
        return result


@pytest.fixture
def queue() -> str:
    """Return a task queue of the test's own."""
    return uuid4().hex


@pytest.fixture
def spec(temporal_server: str, queue: str) -> ComponentSpec:
    metadata = {"hostPort": temporal_server, "taskQueue": queue}
    return ComponentSpec(name="orders", type="workflow.temporal", metadata=metadata)


@pytest.fixture
async def runtime(spec: ComponentSpec) -> AsyncIterator[Runtime]:
    async with Runtime.open([spec], app) as opened:
        yield opened


@pytest.fixture
async def client(temporal_server: str) -> Client:
    """Temporal's own client."""
    return await Client.connect(temporal_server)


async def test_everything_is_what_it_is_called_in_temporal(
    runtime: Runtime, client: Client
) -> None:
    instance_id = await runtime.start(everything, input=0)
    await until(runtime, instance_id, lambda state: state.custom_status is not None)
    await runtime.raise_event(instance_id, "add", 5)
    state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert state.result() == [2, 1, 5]

    handle = client.get_workflow_handle(instance_id)
    description = await handle.describe()
    assert description.workflow_type == "everything"
    assert await description.memo_value("customStatus") == {"step": 1}
    history = await handle.fetch_history()
    scheduled = _only(history, "ACTIVITY_TASK_SCHEDULED").activity_task_scheduled_event_attributes
    assert scheduled.activity_type.name == "double"
    assert scheduled.input.payloads[0].data == b"1"
    assert scheduled.heartbeat_timeout.seconds > 0
    # Once, and not in each of the turns that follow.
    assert _only(history, "WORKFLOW_PROPERTIES_MODIFIED").event_id
    signalled = _only(history, "WORKFLOW_EXECUTION_SIGNALED")
    assert signalled.workflow_execution_signaled_event_attributes.signal_name == "add"
    child = client.get_workflow_handle(f"{instance_id}-nap")
    assert (await child.describe()).workflow_type == "nap"
    timer = _only(await child.fetch_history(), "TIMER_STARTED")
    assert timer.user_metadata.summary.data.startswith(b'"timer #1 until ')
    first = client.get_workflow_handle(instance_id, run_id=description.raw_info.first_run_id)
    renewed = _only(await first.fetch_history(), "WORKFLOW_EXECUTION_CONTINUED_AS_NEW")
    following = renewed.workflow_execution_continued_as_new_event_attributes
    assert following.new_execution_run_id == description.run_id


async def test_turns_of_the_apps_own_code_leave_no_trace_of_their_own(
    runtime: Runtime, client: Client
) -> None:
    instance_id = await runtime.start(nap, input=1)
    await runtime.wait(instance_id, timeout=PATIENCE)
    history = await client.get_workflow_handle(instance_id).fetch_history()
    assert not [event for event in history.events if event.event_type == _kind("MARKER_RECORDED")]


async def test_temporals_own_client_starts_a_hosted_workflow_by_its_name(
    runtime: Runtime, client: Client, queue: str
) -> None:
    handle = await client.start_workflow("nap", 3, id=uuid4().hex, task_queue=queue)
    assert await handle.result() == 3
    assert (await runtime.get(handle.id)).result() == 3


@pytest.mark.usefixtures("runtime")
async def test_somebody_elses_workflow_calls_an_activity_of_the_app(
    client: Client, queue: str
) -> None:
    theirs = uuid4().hex
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=theirs, workflows=[CallsDouble], workflow_runner=runner):
        result = await client.execute_workflow(
            CallsDouble.run, args=[queue, 4], id=uuid4().hex, task_queue=theirs
        )
    assert result == 8


async def test_workflows_of_the_app_have_one_input_and_events_one_datum(
    temporal_server: str, queue: str
) -> None:
    metadata = {"hostPort": temporal_server, "taskQueue": queue, "spreadSignals": "add"}
    spec = ComponentSpec(name="orders", type="workflow.temporal", metadata=metadata)
    async with Runtime.open([spec], app) as runtime:
        with pytest.raises(InvalidRequest, match="those of the app take one input"):
            await runtime.start(listening, options={"spread_input": "true"})
        instance_id = await runtime.start(listening)
        await runtime.raise_event(instance_id, "add", [1, 2])
        assert (await runtime.wait(instance_id, timeout=PATIENCE)).result() == [1, 2]


async def test_the_name_by_which_hosts_are_woken_is_no_event(runtime: Runtime) -> None:
    instance_id = await runtime.start(everything, input=1)
    with pytest.raises(InvalidRequest, match=r"flowyard\.wake"):
        await runtime.raise_event(instance_id, "flowyard.wake")
    await runtime.terminate(instance_id)


@pytest.mark.parametrize("code", [receiving, passing, returning, confiding, renewing])
async def test_a_value_that_is_too_large_for_temporal_fails_and_is_not_tried_for_ever(
    runtime: Runtime, code: Callable[..., object]
) -> None:
    small = await runtime.start(code, input=1_000_000)
    assert (await runtime.wait(small, timeout=PATIENCE)).status is WorkflowStatus.COMPLETED
    large = await runtime.start(code, input=3_000_000)
    state = await runtime.wait(large, timeout=PATIENCE)
    assert state.failure is not None
    assert "Store it elsewhere" in state.failure.message


@asynccontextmanager
async def connected(executors: RemoteExecutors, code: App) -> AsyncIterator[None]:
    """Connect a worker that has this code."""
    with LocalExecutor(code) as executor:
        working = asyncio.create_task(work(executors.queue("orders"), executor))
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


async def until(
    runtime: Runtime, instance_id: str, holds: Callable[[WorkflowState], bool]
) -> WorkflowState:
    """Return the state of an instance once this holds of it."""
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while not holds(state := await runtime.get(instance_id)):  # noqa: ASYNC110 - elsewhere
            await asyncio.sleep(0.05)
    return state


async def test_a_turn_that_no_worker_serves_waits_and_goes_on_when_one_connects(
    spec: ComponentSpec,
) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([spec], executor=executors.make) as runtime:
        instance_id = await runtime.start("nap", input=1)
        assert (await runtime.get(instance_id)).status is WorkflowStatus.PENDING
        state = await until(runtime, instance_id, tells("waits for a worker"))
        assert not state.status.is_closed
        async with connected(executors, app):
            assert (await runtime.wait(instance_id, timeout=PATIENCE)).result() == 1
        history = await runtime.history(instance_id)
        # Those by which the host has looked for a worker are not the workflow's.
        assert [event.id for event in history if isinstance(event, TimerCreated)] == [1]


async def test_an_instance_that_no_workers_code_fits_is_stalled_until_one_with_it_connects(
    spec: ComponentSpec,
) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([spec], executor=executors.make) as runtime:
        async with connected(executors, App()):
            instance_id = await runtime.start("nap", input=1)
            state = await until(runtime, instance_id, tells("not registered"))
            assert state.status is WorkflowStatus.STALLED
            assert state.failure is not None
        async with connected(executors, app):
            state = await runtime.wait(instance_id, timeout=PATIENCE)
        assert (state.result(), state.detail) == (1, None)
        history = await runtime.history(instance_id)
    # The host has a timer too, in order to look again; it is none of the workflow's.
    assert len([event for event in history if isinstance(event, TimerCreated)]) == 1


def tells(text: str) -> Callable[[WorkflowState], bool]:
    return lambda state: text in (state.detail or "")


def _kind(name: str) -> int:
    return EventType.Value(f"EVENT_TYPE_{name}")


def _only(history: WorkflowHistory, name: str) -> HistoryEvent:
    (event,) = [event for event in history.events if event.event_type == _kind(name)]
    return event


class Panic(BaseException):
    """As extensions raise it that are written in other languages."""


@app.activity
def panicking(_context: ActivityContext) -> None:
    raise Panic("in an activity")


@app.workflow
async def alarmed(ctx: WorkflowContext, where: str) -> None:
    if where == "activity":
        await ctx.call_activity(panicking)
    await nap_shortly(ctx)
    raise Panic("in the workflow")


async def nap_shortly(ctx: WorkflowContext) -> None:
    await ctx.create_timer(timedelta(milliseconds=1))


@app.workflow
async def listening(ctx: WorkflowContext) -> object:
    return await ctx.wait_for_external_event("add")


@app.workflow
async def parent(ctx: WorkflowContext) -> object:
    return await ctx.call_child_workflow(nap, input=1)


async def test_the_id_of_a_child_costs_no_event_of_its_own(
    runtime: Runtime, client: Client
) -> None:
    instance_id = await runtime.start(parent)
    assert (await runtime.wait(instance_id, timeout=PATIENCE)).result() == 1
    history = await client.get_workflow_handle(instance_id).fetch_history()
    assert not [event for event in history.events if event.event_type == _kind("MARKER_RECORDED")]


@pytest.mark.parametrize("where", ["activity", "workflow"])
async def test_what_is_no_ordinary_exception_fails_the_instance(
    runtime: Runtime, where: str
) -> None:
    instance_id = await runtime.start(alarmed, input=where)
    state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert state.status is WorkflowStatus.FAILED
    assert state.failure is not None
    assert f"in {'an' if where == 'activity' else 'the'} {where}" in state.failure.message
