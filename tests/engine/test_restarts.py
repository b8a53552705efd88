"""Closing and opening again: timers, activities that were cut off, and who waits."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flowyard import (
    ActivityContext,
    App,
    BackendUnavailable,
    RetryPolicy,
    WorkflowContext,
    WorkflowStatus,
    when_any,
)
from flowyard.testing import VirtualClock, WorkflowKit

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime

DAY = timedelta(days=1)


class Steps:
    """Activities that stop until they may go on."""

    def __init__(self) -> None:
        self.app = App()
        self.runs: list[str] = []
        self.began = asyncio.Event()
        self.goes_on = asyncio.Event()

        @self.app.activity
        async def step(ctx: ActivityContext) -> str:
            self.runs.append(ctx.task_execution_id)
            self.began.set()
            await self.goes_on.wait()
            return f"run {len(self.runs)}"

        @self.app.workflow
        async def one_step(ctx: WorkflowContext) -> str:
            return await ctx.call_activity(step)

        @self.app.workflow
        async def waiter(ctx: WorkflowContext) -> object:
            return await ctx.wait_for_external_event("go")


async def test_a_timer_fires_at_its_time_after_any_number_of_restarts(
    open_runtime: OpenRuntime,
) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> list[float]:
        began = ctx.current_utc_datetime
        passed = []
        for _ in range(3):
            await ctx.create_timer(10 * DAY)
            passed.append((ctx.current_utc_datetime - began) / DAY)
        return passed

    clock = VirtualClock()
    async with open_runtime(app, clock=clock) as runtime:
        await runtime.start(patient, instance_id="it")
    for _ in range(4):
        async with open_runtime(app, clock=clock) as runtime:
            await WorkflowKit(app, runtime, clock).advance(7 * DAY)
            assert (await runtime.get("it")).status is WorkflowStatus.RUNNING
    async with open_runtime(app, clock=clock) as runtime:
        assert (await WorkflowKit(app, runtime, clock).wait("it")).result() == [10, 20, 30]


async def test_timers_that_fell_due_while_nothing_ran_fire_in_their_order(
    open_runtime: OpenRuntime,
) -> None:
    app = App()

    @app.workflow
    async def racing(ctx: WorkflowContext) -> list[str]:
        late, early = ctx.create_timer(2 * DAY), ctx.create_timer(DAY)
        winner = await when_any([late, early])
        return ["early" if winner is early else "late"]

    clock = VirtualClock()
    async with open_runtime(app, clock=clock) as runtime:
        await runtime.start(racing, instance_id="it")
    clock.advance(3 * DAY)
    async with open_runtime(app, clock=clock) as runtime:
        assert (await runtime.wait("it")).result() == ["early"]


async def test_a_retry_that_waits_survives_a_restart(open_runtime: OpenRuntime) -> None:
    app = App()
    runs: list[str] = []

    @app.activity
    async def refused(ctx: ActivityContext) -> int:
        runs.append(ctx.task_execution_id)
        if len(runs) < 3:
            raise ConnectionError("refused")
        return len(runs)

    @app.workflow
    async def persistent(ctx: WorkflowContext) -> int:
        policy = RetryPolicy(first_retry_interval=DAY, max_number_of_attempts=3)
        return await ctx.call_activity(refused, retry_policy=policy)

    clock = VirtualClock()
    async with open_runtime(app, clock=clock) as runtime:
        await runtime.start(persistent, instance_id="it")
        await WorkflowKit(app, runtime, clock).advance(DAY / 2)
    async with open_runtime(app, clock=clock) as runtime:
        await WorkflowKit(app, runtime, clock).advance(DAY / 4)
        assert len(runs) == 1
        assert (await WorkflowKit(app, runtime, clock).wait("it")).result() == 3
    assert len(set(runs)) == 1, "all attempts have one idempotency key"


async def test_an_activity_that_closing_cut_off_runs_again_with_the_same_key(
    open_runtime: OpenRuntime,
) -> None:
    steps = Steps()
    async with open_runtime(steps.app) as runtime:
        await runtime.start("one_step", instance_id="it")
        await steps.began.wait()
    assert len(steps.runs) == 1
    steps.goes_on.set()
    async with open_runtime(steps.app) as runtime:
        assert (await runtime.wait("it")).result() == "run 2"
    assert len(set(steps.runs)) == 1


async def test_an_activity_in_a_thread_that_outlives_its_runtime_is_not_recorded(
    open_runtime: OpenRuntime,
) -> None:
    app = App()
    began, goes_on = threading.Event(), threading.Event()
    runs: list[int] = []

    @app.activity
    def step(ctx: ActivityContext) -> int:
        number = len(runs)
        runs.append(number)
        began.set()
        goes_on.wait()
        return number

    @app.workflow
    async def one_step(ctx: WorkflowContext) -> int:
        return await ctx.call_activity(step)

    async with open_runtime(app) as runtime:
        await runtime.start(one_step, instance_id="it")
        await asyncio.to_thread(began.wait)
    goes_on.set()
    async with open_runtime(app) as runtime:
        assert (await runtime.wait("it")).result() == 1


async def test_a_recorded_result_never_changes(open_runtime: OpenRuntime) -> None:
    app = App()
    runs: list[int] = []

    @app.activity
    async def count(ctx: ActivityContext) -> int:
        runs.append(len(runs))
        return len(runs)

    @app.workflow
    async def twice(ctx: WorkflowContext) -> list[int]:
        first = await ctx.call_activity(count)
        await ctx.wait_for_external_event("go")
        return [first, await ctx.call_activity(count)]

    async with open_runtime(app) as runtime:
        await runtime.start(twice, instance_id="it")
        await WorkflowKit(app, runtime, VirtualClock()).settle()
        before = await runtime.history("it")
    async with open_runtime(app) as runtime:
        await runtime.raise_event("it", "go")
        assert (await runtime.wait("it")).result() == [1, 2]
        assert list((await runtime.history("it"))[: len(before)]) == list(before)
    assert len(runs) == 2


@pytest.mark.parametrize("with_app", [True, False])
async def test_who_waits_is_told_that_the_runtime_was_closed(
    open_runtime: OpenRuntime, with_app: bool
) -> None:
    steps = Steps()
    async with open_runtime(steps.app) as first:
        await first.start("waiter", instance_id="it")
    async with open_runtime(steps.app if with_app else None) as runtime:
        waiting = asyncio.create_task(runtime.wait("it"))
        await runtime.get("it")
    with pytest.raises(BackendUnavailable, match="closed"):
        await waiting


@pytest.mark.parametrize("with_app", [True, False])
async def test_a_closed_runtime_refuses_every_verb(
    open_runtime: OpenRuntime, with_app: bool
) -> None:
    steps = Steps()
    async with open_runtime(steps.app) as first:
        await first.start("waiter", instance_id="it")
    async with open_runtime(steps.app if with_app else None) as runtime:
        await runtime.get("it")
    calls = [
        runtime.start("waiter", instance_id="other"),
        runtime.raise_event("it", "go"),
        *(verb("it") for verb in (runtime.get, runtime.pause, runtime.resume, runtime.wait)),
        *(verb("it") for verb in (runtime.terminate, runtime.purge, runtime.history)),
        runtime.list(),
    ]
    for call in calls:
        with pytest.raises(BackendUnavailable, match="closed"):
            await call


async def test_what_is_asked_while_the_runtime_closes_is_done_or_refused(
    open_runtime: OpenRuntime,
) -> None:
    steps = Steps()
    async with open_runtime(steps.app, cachedInstances="5") as runtime:
        for number in range(10):
            await runtime.start("waiter", instance_id=f"it-{number}")
        raising = [
            asyncio.create_task(runtime.raise_event(f"it-{number % 10}", "go", number))
            for number in range(30)
        ]
        starting = [
            asyncio.create_task(runtime.start("waiter", instance_id=f"new-{number}"))
            for number in range(10)
        ]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*raising, *starting, return_exceptions=True)
    for answer in answers:
        assert isinstance(answer, (bool, str, BackendUnavailable)), answer
    async with open_runtime(steps.app) as runtime:
        for number, answer in enumerate(answers[:10]):
            if answer is True:
                assert (await runtime.wait(f"it-{number}")).result() == number
        for number, answer in enumerate(answers[30:]):
            if isinstance(answer, str):
                assert (await runtime.get(f"new-{number}")).workflow == "waiter"
