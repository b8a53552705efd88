"""The examples without an end: monitor (P4) and eternal (M2)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import eternal
from demo import reached
from flowyard import ActivityContext, WorkflowStatus
from monitor import Monitor, watch
from monitor import app as monitor_app
from monitor import world as monitor_world

if TYPE_CHECKING:
    from examples.conftest import OpenRuntime, StartProgram
    from flowyard.testing import OpenWorkflowKit

# Of ten looks at the job, two find it unhealthy.
TEN_ROUNDS = timedelta(minutes=8 * 60 + 2 * 5)


async def test_a_thousand_rounds_of_monitoring_keep_the_history_short(
    workflow_kit: OpenWorkflowKit,
) -> None:
    looks: list[bool] = []
    alerts: list[int] = []

    async def look(ctx: ActivityContext, job: str) -> bool:
        looks.append(len(looks) % 10 not in (3, 4))
        return looks[-1]

    async def alert(ctx: ActivityContext, job: str) -> None:
        alerts.append(len(looks))

    activities = {"check_job": look, "send_alert": alert}
    async with workflow_kit(monitor_app, activities=activities) as kit:
        instance_id = await kit.runtime.start(watch, input=Monitor("job-7"))
        await kit.advance(-timedelta(seconds=1) + TEN_ROUNDS)
        assert len(looks) == 10
        lengths = [len(await kit.runtime.history(instance_id))]
        for _ in range(9):
            await kit.advance(11 * TEN_ROUNDS)
            lengths.append(len(await kit.runtime.history(instance_id)))
        assert len(looks) == 1000
        assert len(alerts) == 100
        state = await kit.runtime.get(instance_id)
        assert state.custom_status == "round 1000"
        assert state.status is WorkflowStatus.RUNNING
        # They differ by one: a round that has just begun has raised no alert.
        assert max(lengths) <= 16
        assert lengths[-1] <= lengths[0]


async def test_one_alert_is_sent_for_an_outage_however_long(workflow_kit: OpenWorkflowKit) -> None:
    # The first entry is dropped by the first look.
    monitor_world.put("outlook", [True, True, False, False, False, True, True, False])
    async with workflow_kit(monitor_app) as kit:
        await kit.runtime.start(watch, input=Monitor("job-7"))
        await kit.settle()
        for minutes in (60, 5, 5, 5, 60, 60):
            rounds = len(monitor_world.get("outlook"))
            await kit.advance(timedelta(minutes=minutes, seconds=-1))
            assert len(monitor_world.get("outlook")) == rounds
            await kit.advance(timedelta(seconds=1))
            assert len(monitor_world.get("outlook")) == rounds - 1
    seen = [activity for activity, _ in monitor_world.calls()]
    assert seen == ["check_job"] * 2 + ["send_alert"] + ["check_job"] * 5 + ["send_alert"]


async def test_an_eternal_workflow_rests_while_it_is_paused(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(eternal.app) as kit:
        instance_id = await kit.runtime.start(eternal.keep_clean, input=1)
        await kit.advance(3 * eternal.INTERVAL - timedelta(milliseconds=1))
        assert len(eternal.world.calls()) == 3
        assert await kit.runtime.pause(instance_id)
        await kit.advance(timedelta(days=7))
        assert len(eternal.world.calls()) == 3
        assert (await kit.runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        assert await kit.runtime.resume(instance_id)
        await kit.settle()
        assert eternal.world.calls()[3:] == [("clean_up", "4")]
        assert (await kit.runtime.get(instance_id)).status is WorkflowStatus.RUNNING
        await kit.advance(2 * eternal.INTERVAL)
        assert [detail for _, detail in eternal.world.calls()] == [*"123456"]


async def test_an_eternal_workflow_goes_on_in_the_next_runtime(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eternal, "INTERVAL", timedelta(milliseconds=20))
    async with open_runtime(eternal.app) as runtime:
        instance_id = await runtime.start(eternal.keep_clean, input=1)
        await reached(runtime, instance_id, lambda state: len(eternal.world.calls()) >= 2)
        await runtime.pause(instance_id)
    async with open_runtime(eternal.app) as runtime:
        assert (await runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        before = len(eternal.world.calls())
        await runtime.resume(instance_id)
        await reached(runtime, instance_id, lambda state: len(eternal.world.calls()) >= before + 2)
        await runtime.terminate(instance_id)
        state = await runtime.wait(instance_id)
    assert state.status is WorkflowStatus.TERMINATED
    numbers = [int(detail) for _, detail in eternal.world.calls()]
    assert sorted(set(numbers)) == list(range(1, len(set(numbers)) + 1))


def test_an_eternal_workflow_survives_a_kill_and_can_be_stopped(
    start_program: StartProgram,
) -> None:
    first = start_program("eternal.py")
    first.read_until("Round 2 is done.")
    first.kill()
    output = start_program("eternal.py").finish()
    assert any(line.startswith("Resuming cleaner-1: round ") for line in output)
    assert "Paused: SUSPENDED." in output
    numbers = [detail for _, detail in eternal.world.calls()]
    # Rounds 1 and 2 were recorded before the kill.
    assert numbers.count("1") == 1
    assert numbers.count("2") == 1
    assert start_program("eternal.py", "--stop").finish()[-1] == "Stopped: TERMINATED."
