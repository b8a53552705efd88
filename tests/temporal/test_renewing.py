"""Hosted instances that begin again, that are too large, and whose turns wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest

from flowyard import (
    ActivityContext,
    App,
    InstanceQuery,
    Runtime,
    WorkflowContext,
    WorkflowStatus,
    when_all,
)
from flowyard.config import ComponentSpec
from flowyard.executors.local import LocalExecutor
from flowyard.executors.remote import RemoteExecutors
from flowyard.models import WorkflowState
from remote_component import work

PATIENCE = timedelta(seconds=60)

app = App()


@app.workflow
async def nap(ctx: WorkflowContext, milliseconds: int) -> int:
    await ctx.create_timer(timedelta(milliseconds=milliseconds))
    return milliseconds


@app.workflow
async def again(ctx: WorkflowContext, value: int) -> int:
    if value == 0:
        ctx.continue_as_new(1)
    return value


@app.workflow
async def spinning(ctx: WorkflowContext, count: int) -> None:
    await ctx.create_timer(timedelta(milliseconds=30))
    ctx.continue_as_new(count + 1)


@app.workflow
async def keeping(ctx: WorkflowContext) -> None:
    await ctx.wait_for_external_event("begin")
    ctx.continue_as_new(None, save_events=True)


@app.workflow
async def complaining(ctx: WorkflowContext, length: int) -> None:
    raise ValueError("x" * length)


@app.activity
async def swallow(_: ActivityContext, text: str) -> None:
    """Do nothing."""


@app.workflow
async def stuffing(ctx: WorkflowContext, count: int) -> int:
    calls = [ctx.call_activity(swallow, input="x" * 1_900_000) for _ in range(count)]
    return len(await when_all(calls))


@app.workflow
async def spreading(ctx: WorkflowContext, count: int) -> int:
    return len(await when_all([ctx.call_activity(swallow, input="") for _ in range(count)]))


@pytest.fixture
def spec(temporal_server: str) -> ComponentSpec:
    return spec_at(temporal_server)


def spec_at(address: str) -> ComponentSpec:
    metadata = {"hostPort": address, "taskQueue": uuid4().hex}
    return ComponentSpec("orders", "workflow.temporal", metadata=metadata)


@asynccontextmanager
async def connected(executors: RemoteExecutors) -> AsyncIterator[None]:
    """Connect a worker that has the app."""
    with LocalExecutor(app) as executor:
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


def waits(state: WorkflowState) -> bool:
    return "waits for a worker" in (state.detail or "")


async def test_a_pause_holds_for_a_turn_that_a_worker_takes_afterwards(
    server_without_pause: str,
) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([spec_at(server_without_pause)], executor=executors.make) as runtime:
        instance_id = await runtime.start("again", input=0)
        await until(runtime, instance_id, waits)
        assert await runtime.pause(instance_id)
        async with connected(executors):
            other = await runtime.start("nap", input=40)
            await runtime.wait(other, timeout=PATIENCE)
            assert (await runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
            assert await runtime.resume(instance_id)
            assert (await runtime.wait(instance_id, timeout=PATIENCE)).result() == 1


async def test_nothing_waits_for_a_worker_any_more_once_it_is_terminated(
    spec: ComponentSpec,
) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([spec], executor=executors.make) as runtime:
        instance_id = await runtime.start("nap", input=1)
        await until(runtime, instance_id, waits)
        await runtime.terminate(instance_id)
        state = await runtime.get(instance_id)
        assert (state.status, state.detail) == (WorkflowStatus.TERMINATED, None)


async def test_an_instance_that_begins_again_all_the_time_is_on_every_listing(
    spec: ComponentSpec,
) -> None:
    async with Runtime.open([spec], app) as runtime:
        instance_id = await runtime.start(spinning, input=0)
        status: frozenset[WorkflowStatus]
        for status in (frozenset(), frozenset({WorkflowStatus.RUNNING})) * 25:
            page = await runtime.list(InstanceQuery(instance_id_prefix=instance_id, status=status))
            assert [instance.instance_id for instance in page.instances] == [instance_id]
            # The server allows ten a second.
            await asyncio.sleep(0.12)
        await runtime.terminate(instance_id)


async def test_events_that_are_too_large_to_be_kept_fail_the_instance(spec: ComponentSpec) -> None:
    async with Runtime.open([spec], app) as runtime:
        instance_id = await runtime.start(keeping)
        for _ in range(3):
            await runtime.raise_event(instance_id, "item", "x" * 900_000)
        await runtime.raise_event(instance_id, "begin")
        state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert state.failure is not None
    assert state.failure.error_type == "PayloadTooLarge"


async def test_a_failure_that_is_too_long_fails_the_instance_and_is_told_in_part(
    spec: ComponentSpec,
) -> None:
    async with Runtime.open([spec], app) as runtime:
        state = await runtime.wait(await runtime.start(complaining, input=1_000_000))
    assert state.failure is not None
    assert "It begins: x" in state.failure.message


async def test_a_turn_that_asks_for_too_much_fails_the_instance(spec: ComponentSpec) -> None:
    async with Runtime.open([spec], app) as runtime:
        state = await runtime.wait(await runtime.start(stuffing, input=2), timeout=PATIENCE)
        assert state.result() == 2
        state = await runtime.wait(await runtime.start(stuffing, input=3), timeout=PATIENCE)
    assert state.failure is not None
    assert "spread the calls over several turns" in state.failure.message


async def test_more_activities_at_a_time_than_temporal_takes_stall_the_instance_with_its_words(
    spec: ComponentSpec,
) -> None:
    async with Runtime.open([spec], app) as runtime:
        instance_id = await runtime.start(spreading, input=2_001)
        state = await until(
            runtime, instance_id, lambda state: state.status is WorkflowStatus.STALLED
        )
        await runtime.terminate(instance_id)
    assert state.failure is not None
    assert "2000" in state.failure.message
    assert "activities" in state.failure.message.lower()
