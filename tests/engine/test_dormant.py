"""Instances that wait take no memory, and opening a file does not read them."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flowyard import App, InstanceQuery, Runtime, WorkflowContext
from flowyard.backend.journal import Journal
from flowyard.testing import VirtualClock, WorkflowKit
from flowyard.workflow.execution import Execution
from flowyard_engine.instance import Instance
from flowyard_engine.timers import Timers

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime

MANY = 5_000
app = App()


@app.workflow
async def sleeper(ctx: WorkflowContext, until: datetime) -> str:
    await ctx.create_timer(until)
    return "awake"


@app.workflow
async def waiter(ctx: WorkflowContext) -> object:
    return await ctx.wait_for_external_event("go")


def in_memory() -> int:
    """How many objects there are in this process that stand for an instance."""
    gc.collect()
    return sum(isinstance(kept, (Instance, Journal, Execution)) for kept in gc.get_objects())


def timers_in_memory(runtime: Runtime) -> int:
    timers: Timers = runtime.component()._engine._turns.timers  # type: ignore[attr-defined]
    return len(timers) + len(timers._earliest)


async def start_many(runtime: Runtime, clock: VirtualClock) -> None:
    year = timedelta(days=365)
    await asyncio.gather(
        *(
            runtime.start(sleeper, input=clock.time + year, instance_id=f"sleeps-{number}")
            for number in range(MANY // 2)
        ),
        *(runtime.start(waiter, instance_id=f"waits-{number}") for number in range(MANY // 4)),
        *(
            runtime.start(waiter, instance_id=f"is-late-{number}", start_at=clock.time + year)
            for number in range(MANY // 4)
        ),
    )


async def test_opening_a_file_with_dormant_instances_brings_none_into_memory(
    open_runtime: OpenRuntime,
) -> None:
    clock = VirtualClock()
    before = in_memory()
    async with open_runtime(app, clock=clock) as runtime:
        await start_many(runtime, clock)
    async with open_runtime(app, clock=clock) as runtime:
        await WorkflowKit(app, runtime, clock).settle()
        assert in_memory() == before
        assert timers_in_memory(runtime) == 0
        await runtime.raise_event("waits-7", "go", "only this one")
        assert (await runtime.wait("waits-7")).result() == "only this one"
        await runtime.raise_event("waits-8", "other")
        assert in_memory() - before <= 3, "one instance, its journal and its code"
        page = await runtime.list(InstanceQuery(page_size=1000))
        assert len(page.instances) == 1000


async def test_instances_that_a_process_has_started_itself_leave_its_memory_too(
    open_runtime: OpenRuntime,
) -> None:
    clock = VirtualClock()
    before = in_memory()
    async with open_runtime(app, clock=clock, cachedInstances="10") as runtime:
        await start_many(runtime, clock)
        await WorkflowKit(app, runtime, clock).settle()
        assert in_memory() - before <= 10 * 3
        assert timers_in_memory(runtime) < MANY // 10
        noted = timers_in_memory(runtime)
        for number in range(600):
            # Reading one again and again does not note its timer again and again.
            await runtime.raise_event(f"sleeps-{number % 20}", "other")
        assert timers_in_memory(runtime) <= noted + 2 * 20


async def test_dormant_instances_wake_when_their_time_has_come(open_runtime: OpenRuntime) -> None:
    clock = VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))
    async with open_runtime(app, clock=clock, cachedInstances="3") as runtime:
        kit = WorkflowKit(app, runtime, clock)
        for number in range(20):
            until = clock.time + timedelta(days=1 + number)
            await runtime.start(sleeper, input=until, instance_id=f"it-{number}")
        for number in range(20):
            await kit.advance(timedelta(days=1))
            closed = [(await runtime.get(f"it-{index}")).status.is_closed for index in range(20)]
            assert closed == [index <= number for index in range(20)]
