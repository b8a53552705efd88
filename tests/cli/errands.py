"""The app that the tests of the command run."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from flowyard import ActivityContext, App, WorkflowContext

app = App()
not_an_app = "text"


class Parcel(BaseModel):
    """A typed input."""

    weight: int


@app.workflow
async def echo(ctx: WorkflowContext, value: Any = None) -> Any:
    """Return the input."""
    return value


@app.workflow
async def post(ctx: WorkflowContext, parcel: Parcel) -> int:
    """Return what it weighs."""
    return parcel.weight


@app.workflow
async def gate(ctx: WorkflowContext) -> Any:
    """Wait for an event."""
    ctx.set_custom_status("at the [bold]gate")
    return await ctx.wait_for_external_event("go")


@app.workflow
async def fail(ctx: WorkflowContext) -> None:
    """Fail."""
    raise ValueError("it rains")


@app.activity
def double(ctx: ActivityContext, number: int) -> int:
    """Return twice the number."""
    return 2 * number


@app.workflow
async def call(ctx: WorkflowContext, number: int = 1) -> int:
    """Return twice the number."""
    return await ctx.call_activity(double, input=number)
