"""Workflows whose activities leave a trace in a folder, for tests with several processes."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from flowyard import ActivityContext, App, WorkflowContext


def make_app(folder: Path) -> App:
    """Return an app whose activities write to `folder/log` and wait for files in the folder."""
    app = App()

    def trace(ctx: ActivityContext, text: str) -> None:
        line = f"{os.getpid()} {ctx.workflow_id} {ctx.task_execution_id} {text}\n"
        with (folder / "log").open("a") as log:
            log.write(line)

    @app.activity
    async def note(ctx: ActivityContext, text: str) -> int:
        """Leave a line; return which process did it."""
        trace(ctx, text)
        return os.getpid()

    @app.activity
    async def pass_gate(ctx: ActivityContext, name: str) -> int:
        """Leave a line, then wait until the gate is open, for this process or for all."""
        trace(ctx, name)
        gates = (folder / f"open-{name}", folder / f"open-{name}-{os.getpid()}")
        while not any(gate.exists() for gate in gates):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)
        return os.getpid()

    @app.workflow
    async def waiter(ctx: WorkflowContext) -> object:
        return await ctx.wait_for_external_event("go")

    @app.workflow
    async def sleeper(ctx: WorkflowContext, seconds: float) -> str:
        await ctx.create_timer(timedelta(seconds=seconds))
        return "awake"

    @app.workflow
    async def gated(ctx: WorkflowContext, name: str) -> list[int]:
        passed = await ctx.call_activity(pass_gate, input=name)
        return [passed, await ctx.call_activity(note, input="after the gate")]

    @app.workflow
    async def chain(ctx: WorkflowContext, steps: int) -> int:
        for step in range(steps):
            await ctx.call_activity(note, input=str(step))
        return steps

    @app.workflow
    async def parent(ctx: WorkflowContext, child_id: str) -> object:
        return await ctx.call_child_workflow(waiter, instance_id=child_id)

    return app


def traces(folder: Path) -> list[list[str]]:
    """Return what the activities have left: process, instance, execution of the task, text."""
    log = folder / "log"
    return [line.split(" ", 3) for line in log.read_text().splitlines()] if log.exists() else []
