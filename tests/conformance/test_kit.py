"""The test kit: time passes only where the test says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from flowyard import (
    ActivityContext,
    App,
    InstanceNotFound,
    RetryPolicy,
    TaskFailedError,
    WorkflowContext,
    WorkflowStatus,
)
from flowyard.testing import NothingScheduled, OpenWorkflowKit, VirtualClock

app = App()


@app.activity
async def remind(ctx: ActivityContext, day: int) -> str:
    raise AssertionError("a test must not send mail")


@app.activity
def remind_in_a_thread(ctx: ActivityContext, day: int) -> str:
    return f"thread {day}"


@app.workflow
async def reminders(ctx: WorkflowContext, days: int) -> list[str]:
    """Remind every day until the event comes."""
    sent = []
    for day in range(days):
        try:
            await ctx.wait_for_external_event("stop", timeout=timedelta(days=1))
        except TimeoutError:
            sent.append(await ctx.call_activity(remind, input=day))
        else:
            break
    return sent


@app.workflow
async def month(ctx: WorkflowContext) -> float:
    before = ctx.current_utc_datetime
    await ctx.create_timer(timedelta(days=30))
    await ctx.call_activity(remind_in_a_thread, input=30)
    return (ctx.current_utc_datetime - before).total_seconds()


@app.workflow
async def patient(ctx: WorkflowContext) -> str:
    ctx.set_custom_status("waiting for approval")
    return str(await ctx.wait_for_external_event("approval"))


@app.workflow
async def eternal(ctx: WorkflowContext, rounds: int) -> None:
    await ctx.create_timer(timedelta(hours=1))
    ctx.continue_as_new(rounds + 1)


@app.workflow
async def insistent(ctx: WorkflowContext) -> float:
    """Retry every ten minutes for at most twenty-five; return the minutes that this took."""
    policy = RetryPolicy(
        first_retry_interval=timedelta(minutes=10),
        max_number_of_attempts=9,
        retry_timeout=timedelta(minutes=25),
    )
    before = ctx.current_utc_datetime
    try:
        await ctx.call_activity(remind, input=1, retry_policy=policy)
    except TaskFailedError:
        return (ctx.current_utc_datetime - before) / timedelta(minutes=1)
    return 0


async def fake_reminder(ctx: ActivityContext, day: int) -> str:
    return f"fake {day}"


async def test_a_wait_of_thirty_days_takes_exactly_thirty_days_of_virtual_time(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app) as kit:
        before = kit.clock.time
        instance_id = await kit.runtime.start(month)
        state = await kit.wait(instance_id)
        assert state.result(float) == timedelta(days=30).total_seconds()
        assert kit.clock.time - before == timedelta(days=30)
        assert state.created_at == before


async def test_activities_are_replaced_by_name_and_the_app_stays_as_it_was(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app, activities={"remind": fake_reminder}) as kit:
        instance_id = await kit.runtime.start(reminders, input=3)
        assert (await kit.wait(instance_id)).result() == ["fake 0", "fake 1", "fake 2"]
    async with workflow_kit(app) as kit:
        state = await kit.wait(await kit.runtime.start(reminders, input=3))
        assert state.status is WorkflowStatus.FAILED


async def test_retries_wait_in_virtual_time(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(app) as kit:
        instance_id = await kit.runtime.start(insistent)
        assert (await kit.wait(instance_id)).result(float) == 20


async def test_time_advances_as_far_as_asked_and_what_is_due_runs(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app, activities={"remind": fake_reminder}) as kit:
        start = kit.clock.time
        instance_id = await kit.runtime.start(reminders, input=30)
        await kit.advance(timedelta(days=2, hours=1))
        assert kit.clock.time == start + timedelta(days=2, hours=1)
        await kit.runtime.raise_event(instance_id, "stop")
        assert (await kit.wait(instance_id)).result() == ["fake 0", "fake 1"]
        assert kit.clock.time == start + timedelta(days=2, hours=1)


async def test_waiting_for_what_nothing_will_wake_says_so(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(app) as kit:
        instance_id = await kit.runtime.start(patient, instance_id="order-7")
        with pytest.raises(NothingScheduled, match=r"'order-7'.*nothing is scheduled") as nothing:
            await kit.wait(instance_id)
        assert "It waits for event 'approval'." in str(nothing.value)
        await kit.runtime.raise_event(instance_id, "approval", "yes")
        assert (await kit.wait(instance_id)).result() == "yes"


async def test_waiting_for_a_paused_instance_says_so(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(app) as kit:
        instance_id = await kit.runtime.start(month)
        await kit.runtime.pause(instance_id)
        with pytest.raises(NothingScheduled, match=r"is SUSPENDED.*resume"):
            await kit.wait(instance_id)
        await kit.runtime.resume(instance_id)
        assert (await kit.wait(instance_id)).status is WorkflowStatus.COMPLETED


async def test_waiting_for_an_unknown_instance_is_refused(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app) as kit:
        with pytest.raises(InstanceNotFound, match="order-8"):
            await kit.wait("order-8")


async def test_a_workflow_without_end_does_not_hang_the_test(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app) as kit:
        instance_id = await kit.runtime.start(eternal, input=0)
        with pytest.raises(NothingScheduled, match="within 1 day"):
            await kit.wait(instance_id, within=timedelta(days=1))
        assert (await kit.runtime.get(instance_id)).input == "24"


async def test_two_kits_of_a_test_share_neither_time_nor_instances(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app) as one, workflow_kit(app) as other:
        instance_id = await one.runtime.start(month)
        await one.wait(instance_id)
        assert one.clock.time - other.clock.time == timedelta(days=30)
        assert (await other.runtime.list()).instances == ()


async def test_a_virtual_clock_rings_in_order_at_the_time_asked_for() -> None:
    clock = VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))
    start = clock.now()
    rung: list[tuple[str, int]] = []
    clock.call_at(start + 20, lambda: rung.append(("second", clock.now() - start)))
    clock.call_at(start + 10, lambda: rung.append(("first", clock.now() - start)))
    cancelled = clock.call_at(start + 15, lambda: rung.append(("never", 0)))
    cancelled.cancel()
    clock.call_at(start + 31, lambda: rung.append(("later", 0)))
    clock.advance(timedelta(microseconds=30))
    assert rung == [("first", 10), ("second", 20)]
    assert clock.now() == start + 30
    assert clock.next_alarm == start + 31


async def test_a_virtual_clock_rings_for_the_past_on_the_next_round() -> None:
    clock = VirtualClock()
    rung = asyncio.Event()
    clock.call_at(clock.now() - 1, rung.set)
    assert not rung.is_set()
    await rung.wait()
    assert not clock.is_due


async def test_an_alarm_set_by_an_alarm_rings_in_the_same_advance() -> None:
    clock = VirtualClock()
    start = clock.now()
    rung: list[int] = []

    def again() -> None:
        rung.append(clock.now() - start)
        if len(rung) < 3:
            clock.call_at(clock.now() + 10, again)

    clock.call_at(start + 10, again)
    clock.advance(timedelta(microseconds=100))
    assert rung == [10, 20, 30]
    assert clock.next_alarm is None
