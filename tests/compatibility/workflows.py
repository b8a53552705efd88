"""The workflows of the instances that are kept, as their code was at first and as it is today.

Never change what is there: the data were made by it. For another state, add a workflow.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from enum import Enum, auto

from flowyard import (
    ActivityContext,
    App,
    RetryPolicy,
    TaskFailedError,
    WorkflowContext,
    when_all,
)


class Code(Enum):
    """Which code of the app runs."""

    FIRST = auto()
    UNFIT = auto()
    """That of `changed` does not fit its history."""
    TODAY = auto()


def make_app(code: Code = Code.TODAY) -> App:
    """Return the app; the activity `gate` ends and `fragile` succeeds only with today's code."""
    app = App()
    _add_activities(app, code)
    _add_waiting(app)
    _add_families(app)
    _add_versions(app, code)
    return app


def _add_activities(app: App, code: Code) -> None:
    @app.activity
    async def step(ctx: ActivityContext, value: int) -> int:
        return value

    @app.activity
    async def gate(ctx: ActivityContext, value: int) -> int:
        if code is not Code.TODAY:
            await asyncio.Event().wait()
        return value

    @app.activity
    async def fragile(ctx: ActivityContext) -> int:
        if code is not Code.TODAY:
            raise ConnectionError("nobody answers")
        return ctx.attempt


def _add_waiting(app: App) -> None:
    @app.workflow
    async def pays(ctx: WorkflowContext, count: int) -> list[object]:
        return [await ctx.wait_for_external_event("pay") for _ in range(count)]

    @app.workflow
    async def works(ctx: WorkflowContext, value: int) -> list[int]:
        first = await ctx.call_activity("step", input=1, result_type=int)
        return [first, await ctx.call_activity("gate", input=value, result_type=int)]

    @app.workflow
    async def sleeps(ctx: WorkflowContext, until: datetime) -> str:
        await ctx.create_timer(until)
        return "awake"

    @app.workflow
    async def retries(ctx: WorkflowContext, until: datetime) -> int:
        policy = RetryPolicy(
            first_retry_interval=until - ctx.current_datetime, max_number_of_attempts=2
        )
        return await ctx.call_activity("fragile", retry_policy=policy, result_type=int)

    @app.workflow
    async def reports(ctx: WorkflowContext) -> object:
        ctx.set_custom_status({"progress": 0.5})
        return await ctx.wait_for_external_event("pay")

    @app.workflow
    async def juggles(ctx: WorkflowContext, until: datetime) -> list[object]:
        """Send an event, and wait for three things at a time."""
        ctx.send_event("its-child", "nobody waits for this")
        calls = [ctx.call_activity("step", input=1), ctx.call_activity("gate", input=2)]
        paid = ctx.wait_for_external_event("pay", timeout=until)
        done = await when_all(calls)
        try:
            return [*done, await paid]
        except TimeoutError:
            return [*done, "too late"]

    @app.workflow
    async def loops(ctx: WorkflowContext, rounds: int) -> list[object] | None:
        if rounds:
            await ctx.wait_for_external_event("renew")
            ctx.continue_as_new(rounds - 1, save_events=True)
            return None
        return [await ctx.wait_for_external_event("pay") for _ in range(2)]

    @app.workflow
    async def fails(ctx: WorkflowContext) -> None:
        raise ValueError("as it should")


def _add_families(app: App) -> None:
    @app.workflow
    async def parent(ctx: WorkflowContext, child_id: str) -> list[object]:
        first = await ctx.call_child_workflow("pays", input=0)
        return [first, await ctx.call_child_workflow("pays", input=1, instance_id=child_id)]

    @app.workflow
    async def twins(ctx: WorkflowContext, child_id: str) -> list[object]:
        """Ask for two children of one ID, of which the first one gets it."""
        older = ctx.call_child_workflow("pays", input=1, instance_id=child_id)
        younger = ctx.call_child_workflow("pays", input=1, instance_id=child_id)
        try:
            return [await younger]
        except TaskFailedError:
            return ["refused", await older]


def _add_versions(app: App, code: Code) -> None:
    @app.workflow
    async def changed(ctx: WorkflowContext) -> list[object]:
        if code is Code.UNFIT:
            await ctx.create_timer(timedelta(days=1))
        first = await ctx.call_activity("step", input=2)
        return [first, await ctx.wait_for_external_event("pay")]

    @app.workflow
    async def patched(ctx: WorkflowContext) -> list[object]:
        before = ctx.is_patched("fee")
        paid = await ctx.wait_for_external_event("pay")
        return [before, paid, ctx.is_patched("fee")]

    @app.workflow
    async def amended(ctx: WorkflowContext) -> list[object]:
        """Wait for an event; today's code has a patch that came after the instances."""
        has_fee = ctx.is_patched("fee") if code is Code.TODAY else False
        return [has_fee, await ctx.wait_for_external_event("pay")]

    @app.versioned_workflow(name="versioned", version_name="v1", is_latest=code is not Code.TODAY)
    async def versioned_1(ctx: WorkflowContext) -> list[object]:
        return ["v1", await ctx.wait_for_external_event("pay")]

    if code is Code.TODAY:

        @app.versioned_workflow(name="versioned", version_name="v2", is_latest=True)
        async def versioned_2(ctx: WorkflowContext) -> list[object]:
            await ctx.create_timer(timedelta(days=1))
            return ["v2"]
