"""The onboarding example: children in parallel, reminders, a pause."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from demo import reached
from flowyard import WorkflowStatus
from hr_onboarding import DEPARTMENTS, Onboarding, OnboardingResult, app, onboard, world

if TYPE_CHECKING:
    from examples.conftest import OpenRuntime, StartProgram
    from flowyard.testing import OpenWorkflowKit

ONBOARDING = Onboarding("Jane Doe", date(2030, 1, 7))


def reminders(department: str) -> int:
    """How often a department was reminded."""
    return sum(
        activity == "remind" and detail.startswith(f"{department},")
        for activity, detail in world.calls()
    )


async def test_all_departments_work_at_once_and_the_result_lists_them(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(onboard, input=ONBOARDING, instance_id="jane")
        # None has reported yet, so each of them was asked without waiting for another.
        for department in reversed(DEPARTMENTS):
            child_id = f"{instance_id}:{department}"
            await reached(runtime, child_id, lambda state: state.custom_status == "asked")
        for department in reversed(DEPARTMENTS):
            await runtime.raise_event(f"{instance_id}:{department}", "done")
        state = await runtime.wait(instance_id)
        child = await runtime.get(f"{instance_id}:IT")
    assert state.result(OnboardingResult) == OnboardingResult("Jane Doe", list(DEPARTMENTS))
    assert child.status is WorkflowStatus.COMPLETED
    assert child.parent_instance_id == instance_id
    asked = [detail for activity, detail in world.calls() if activity == "ask"]
    assert sorted(asked) == sorted(
        f"{department}, Jane Doe comes on 2030-01-07" for department in DEPARTMENTS
    )
    assert world.calls()[-1] == ("welcome", "Jane Doe, all is ready")
    assert sum(map(reminders, DEPARTMENTS)) == 0


async def test_a_department_is_reminded_every_two_days_until_it_is_done(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app) as kit:
        instance_id = await kit.runtime.start(onboard, input=ONBOARDING, instance_id="jane")
        await kit.settle()
        await kit.runtime.raise_event(f"{instance_id}:IT", "done")
        await kit.advance(timedelta(days=1, hours=23))
        assert [reminders(department) for department in DEPARTMENTS] == [0, 0, 0]
        await kit.advance(timedelta(hours=2))
        assert [reminders(department) for department in DEPARTMENTS] == [0, 1, 1]
        await kit.runtime.raise_event(f"{instance_id}:Payroll", "done")
        await kit.advance(timedelta(days=4))
        assert [reminders(department) for department in DEPARTMENTS] == [0, 1, 3]
        await kit.runtime.raise_event(f"{instance_id}:Facilities", "done")
        state = await kit.wait(instance_id)
    assert state.result(OnboardingResult).completed == list(DEPARTMENTS)


async def test_a_paused_department_is_not_reminded(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(app) as kit:
        instance_id = await kit.runtime.start(onboard, input=ONBOARDING, instance_id="jane")
        await kit.settle()
        assert await kit.runtime.pause(f"{instance_id}:Payroll")
        await kit.advance(timedelta(days=9))
        assert [reminders(department) for department in DEPARTMENTS] == [4, 0, 4]
        assert await kit.runtime.resume(f"{instance_id}:Payroll")
        await kit.settle()
        assert reminders("Payroll") == 1
        for department in DEPARTMENTS:
            await kit.runtime.raise_event(f"{instance_id}:{department}", "done")
        state = await kit.wait(instance_id)
    assert state.result(OnboardingResult).completed == list(DEPARTMENTS)


def test_an_onboarding_whose_program_is_killed_asks_nobody_twice(
    start_program: StartProgram,
) -> None:
    arguments = ("hr_onboarding.py", "--pace", "0.05", "--remind-after", "1")
    first = start_program(*arguments)
    first.read_until("IT reports", "Payroll reports", "remind: Facilities")
    first.kill()
    output = start_program(*arguments).finish()
    resumed = "Resuming onboarding-1: the departments were asked before the interruption."
    assert resumed in output
    ready = "IT, Payroll, Facilities are ready for Jane Doe."
    assert f"onboarding-1 is COMPLETED: {ready}" in output
    asked = [detail.split(",")[0] for activity, detail in world.calls() if activity == "ask"]
    assert sorted(asked) == sorted(DEPARTMENTS)
