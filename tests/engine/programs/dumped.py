"""The workflows of the files in `engine/files`, as they were when those were written."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from flowyard import ActivityContext, App, WorkflowContext, when_all

A_MONTH = timedelta(days=30)


def make_app(*, is_open: bool = True) -> App:
    """Return the app; unless it is open, its activity `gate` never ends."""
    app = App()

    @app.activity
    async def gate(ctx: ActivityContext, value: int) -> int:
        if not is_open:
            await asyncio.Event().wait()
        return value

    @app.activity
    async def pause(ctx: ActivityContext, milliseconds: int) -> int:
        await asyncio.sleep(milliseconds / 1000)
        return milliseconds

    @app.workflow
    async def pays(ctx: WorkflowContext, count: int) -> list[object]:
        return [await ctx.wait_for_external_event("pay") for _ in range(count)]

    @app.workflow
    async def sleeps(ctx: WorkflowContext, days: float) -> str:
        await ctx.create_timer(timedelta(days=days))
        return "awake"

    @app.workflow
    async def gated(ctx: WorkflowContext, value: int) -> list[int]:
        first = await ctx.call_activity(pause, input=1)
        return [first, await ctx.call_activity(gate, input=value)]

    @app.workflow
    async def child(ctx: WorkflowContext, milliseconds: int) -> int:
        return await ctx.call_activity(pause, input=milliseconds)

    @app.workflow
    async def parent(ctx: WorkflowContext, count: int) -> list[int]:
        children = [ctx.call_child_workflow(child, input=20 * number) for number in range(count)]
        return await when_all(children)

    @app.workflow
    async def patient_parent(ctx: WorkflowContext, count: int) -> list[int]:
        ctx.create_timer(A_MONTH)
        children = [ctx.call_child_workflow(child, input=20 * number) for number in range(count)]
        return await when_all(children)

    @app.workflow
    async def waiting_parent(ctx: WorkflowContext) -> object:
        return await ctx.call_child_workflow(pays, input=1, instance_id="the-child")

    @app.workflow
    async def loops(ctx: WorkflowContext, rounds: int) -> object:
        if rounds:
            ctx.continue_as_new(rounds - 1)
            return None
        return await ctx.wait_for_external_event("pay")

    @app.workflow
    async def fails(ctx: WorkflowContext) -> None:
        raise ValueError("as it should")

    @app.workflow
    async def changed(ctx: WorkflowContext) -> list[object]:
        return [await ctx.call_activity(pause, input=2), await ctx.wait_for_external_event("pay")]

    return app
