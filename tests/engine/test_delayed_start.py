"""A start in the future is kept until its time, whatever is asked of it before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flowyard import App, InstanceAlreadyExists, WorkflowContext, WorkflowStatus
from flowyard.testing import VirtualClock, WorkflowKit

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime

HOUR = timedelta(hours=1)
app = App()


@app.workflow
async def began_at(ctx: WorkflowContext, name: str) -> list[str]:
    return [name, ctx.current_utc_datetime.isoformat()]


@app.workflow
async def waiter(ctx: WorkflowContext) -> object:
    return await ctx.wait_for_external_event("go")


async def test_it_runs_at_its_time_also_after_a_restart(open_runtime: OpenRuntime) -> None:
    clock = VirtualClock()
    due = clock.time + 2 * HOUR
    async with open_runtime(app, clock=clock) as runtime:
        await runtime.start(began_at, input="it", instance_id="it", start_at=due)
        await WorkflowKit(app, runtime, clock).advance(HOUR)
        state = await runtime.get("it")
        assert (state.status, state.input) == (WorkflowStatus.PENDING, '"it"')
    async with open_runtime(app, clock=clock) as runtime:
        await WorkflowKit(app, runtime, clock).advance(HOUR / 2)
        assert (await runtime.get("it")).status is WorkflowStatus.PENDING
        state = await WorkflowKit(app, runtime, clock).wait("it")
        assert state.result() == ["it", due.replace(tzinfo=None).isoformat()]


async def test_it_runs_at_once_if_its_time_came_while_nothing_ran(
    open_runtime: OpenRuntime,
) -> None:
    clock = VirtualClock()
    async with open_runtime() as manager:
        due = clock.time + HOUR
        await manager.start("began_at", input="it", instance_id="it", start_at=due)
    clock.advance(2 * HOUR)
    async with open_runtime(app, clock=clock) as runtime:
        state = await runtime.wait("it")
        assert state.result(list[str])[1] == clock.time.replace(tzinfo=None).isoformat()


@pytest.mark.parametrize("cached_instances", ["0", "1000"])
async def test_one_that_is_paused_before_its_time_begins_when_it_is_resumed(
    open_runtime: OpenRuntime, cached_instances: str
) -> None:
    clock = VirtualClock()
    async with open_runtime(app, clock=clock, cachedInstances=cached_instances) as runtime:
        kit = WorkflowKit(app, runtime, clock)
        await runtime.start(began_at, input="it", instance_id="it", start_at=clock.time + HOUR)
        assert await runtime.pause("it") is True
        assert await runtime.pause("it") is False
        await kit.advance(2 * HOUR)
        assert (await runtime.get("it")).status is WorkflowStatus.SUSPENDED
        assert await runtime.resume("it") is True
        state = await kit.wait("it")
        assert state.result(list[str])[0] == "it"


async def test_one_that_is_paused_and_resumed_before_its_time_begins_at_it(
    open_runtime: OpenRuntime,
) -> None:
    clock = VirtualClock()
    due = clock.time + HOUR
    async with open_runtime(app, clock=clock) as runtime:
        kit = WorkflowKit(app, runtime, clock)
        await runtime.start(began_at, input="it", instance_id="it", start_at=due)
        await runtime.pause("it")
        await runtime.resume("it")
        await kit.settle()
        assert (await runtime.get("it")).status is WorkflowStatus.PENDING
        result = (await kit.wait("it")).result(list[str])
        assert result == ["it", due.replace(tzinfo=None).isoformat()]


async def test_one_that_is_terminated_before_its_time_never_begins(
    open_runtime: OpenRuntime,
) -> None:
    clock = VirtualClock()
    async with open_runtime(app, clock=clock) as runtime:
        await runtime.start(began_at, input="it", instance_id="it", start_at=clock.time + HOUR)
        assert await runtime.terminate("it", output="never mind") is True
        state = await runtime.wait("it")
        assert (state.status, state.output) == (WorkflowStatus.TERMINATED, '"never mind"')
        assert state.input == '"it"'
        await WorkflowKit(app, runtime, clock).advance(2 * HOUR)
        assert await runtime.get("it") == state
        await runtime.start(began_at, input="again", instance_id="it")
        assert (await runtime.wait("it")).result(list[str])[0] == "again"


async def test_events_raised_before_its_time_are_kept_in_their_order(
    open_runtime: OpenRuntime,
) -> None:
    clock = VirtualClock()
    async with open_runtime(app, clock=clock) as runtime:
        await runtime.start(waiter, instance_id="it", start_at=clock.time + HOUR)
        await runtime.raise_event("it", "go", "first")
        with pytest.raises(InstanceAlreadyExists):
            await runtime.start(waiter, instance_id="it")
    async with open_runtime(app, clock=clock) as runtime:
        await runtime.raise_event("it", "go", "second")
        assert (await runtime.get("it")).status is WorkflowStatus.PENDING
        assert (await WorkflowKit(app, runtime, clock).wait("it")).result() == "first"
