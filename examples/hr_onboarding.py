"""Onboard a new colleague: three departments prepare at once, and slow ones are reminded.

    $ python examples/hr_onboarding.py
    Started onboarding-1.
    IT reports that it is done.
    Payroll reports that it is done.
      remind: Facilities, reminder 1 about Jane Doe
    Facilities reports that it is done.
      welcome: Jane Doe, all is ready
    onboarding-1 is COMPLETED: IT, Payroll, Facilities are ready for Jane Doe.

Each department is a child workflow with an ID of its own, and reports with its own event `done`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from demo import launch, options, reached, resume_or_start
from flowyard import (
    ActivityContext,
    App,
    Runtime,
    WorkflowContext,
    WorkflowState,
    when_all,
    when_any,
)
from outside_world import OutsideWorld, say

DEPARTMENTS = ("IT", "Payroll", "Facilities")

app = App()
world = OutsideWorld("hr_onboarding-world.db")


@dataclass(frozen=True)
class Onboarding:
    """The new colleague, and the first day."""

    employee: str
    start_date: date
    remind_after: timedelta = timedelta(days=2)


@dataclass(frozen=True)
class Preparation:
    """What one department has to do."""

    department: str
    onboarding: Onboarding


@dataclass(frozen=True)
class Reminder:
    """A reminder to a department."""

    department: str
    employee: str
    number: int


@dataclass(frozen=True)
class OnboardingResult:
    """Which departments are ready."""

    employee: str
    completed: list[str]


@app.activity
def ask(ctx: ActivityContext, preparation: Preparation) -> None:
    """Ask a department to prepare for the colleague."""
    onboarding = preparation.onboarding
    detail = f"{preparation.department}, {onboarding.employee} comes on {onboarding.start_date}"
    world.step(ctx, "ask", detail)


@app.activity
def remind(ctx: ActivityContext, reminder: Reminder) -> None:
    """Remind a department."""
    detail = f"{reminder.department}, reminder {reminder.number} about {reminder.employee}"
    world.step(ctx, "remind", detail)


@app.activity
def welcome(ctx: ActivityContext, employee: str) -> None:
    """Write to the new colleague."""
    world.step(ctx, "welcome", f"{employee}, all is ready")


@app.workflow
async def prepare(ctx: WorkflowContext, preparation: Preparation) -> str:
    """Ask one department, and remind it until it is done."""
    await ctx.call_activity(ask, input=preparation)
    ctx.set_custom_status("asked")
    done = ctx.wait_for_external_event("done")
    reminders = 0
    while True:
        timer = ctx.create_timer(preparation.onboarding.remind_after)
        if await when_any([done, timer]) is done:
            return preparation.department
        reminders += 1
        reminder = Reminder(preparation.department, preparation.onboarding.employee, reminders)
        await ctx.call_activity(remind, input=reminder)
        ctx.set_custom_status(f"reminded {reminders}")


@app.workflow
async def onboard(ctx: WorkflowContext, onboarding: Onboarding) -> OnboardingResult:
    """Let all departments prepare in parallel, then welcome the colleague."""
    ctx.set_custom_status("the departments were asked")
    children = [
        ctx.call_child_workflow(
            prepare,
            input=Preparation(department, onboarding),
            instance_id=f"{ctx.instance_id}:{department}",
        )
        for department in DEPARTMENTS
    ]
    completed = await when_all(children)
    await ctx.call_activity(welcome, input=onboarding.employee)
    return OnboardingResult(onboarding.employee, completed)


def is_due(department: str) -> Callable[[WorkflowState], bool]:
    """Tell when a department reports: the last one only after a reminder."""
    due = ("reminded",) if department == DEPARTMENTS[-1] else ("asked", "reminded")
    return lambda state: (state.custom_status or "").startswith(due)


async def run(arguments: argparse.Namespace) -> None:
    """Onboard somebody, playing the departments: the last one needs a reminder."""
    onboarding = Onboarding(
        arguments.employee, date.today(), timedelta(seconds=arguments.remind_after)
    )
    async with Runtime.open(arguments.components, app) as runtime:
        instance_id = await resume_or_start(runtime, onboard, "onboarding", onboarding)
        for department in DEPARTMENTS:
            child_id = f"{instance_id}:{department}"
            state = await reached(runtime, child_id, is_due(department))
            if not state.status.is_closed:
                await runtime.raise_event(child_id, "done")
                say(f"{department} reports that it is done.")
        state = await runtime.wait(instance_id)
    result = state.result(OnboardingResult)
    ready = ", ".join(result.completed)
    say(f"{instance_id} is {state.status}: {ready} are ready for {result.employee}.")


def main() -> None:
    """Run the example."""
    parser = options("Onboard a new colleague.")
    parser.add_argument(
        "--employee", default="Jane Doe", help="the name of the new colleague (%(default)s)"
    )
    parser.add_argument(
        "--remind-after", type=float, default=3, help="seconds between reminders (%(default)s)"
    )
    arguments = parser.parse_args()
    world.pace = arguments.pace
    launch(run(arguments))


if __name__ == "__main__":
    main()
