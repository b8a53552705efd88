"""Workflows that wait: for events, for timers, and through pauses."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flowyard.workflow.context import WorkflowContext
from flowyard.workflow.task import Task, when_all, when_any

_MILLISECOND = timedelta(milliseconds=1)


async def waiter(ctx: WorkflowContext) -> object:
    """Return the data of event `go`."""
    return await ctx.wait_for_external_event("go")


async def late_waiter(ctx: WorkflowContext) -> object:
    """Wait for event `go` only after gate `gate`."""
    await ctx.call_activity("gate", input="gate")
    return await ctx.wait_for_external_event("go")


async def collector(ctx: WorkflowContext, number: int) -> list[object]:
    """Return the data of so many events `item`, in the order of their arrival."""
    return [await ctx.wait_for_external_event("item") for _ in range(number)]


async def two_events(ctx: WorkflowContext) -> list[object]:
    """Wait for `first`, then for `second`."""
    return [
        await ctx.wait_for_external_event("first"),
        await ctx.wait_for_external_event("second"),
    ]


async def impatient(ctx: WorkflowContext, milliseconds: int) -> list[object]:
    """Wait for event `go` with a timeout, then (recording `timed out`) without one."""
    timeout = milliseconds * _MILLISECOND
    try:
        return ["in time", await ctx.wait_for_external_event("go", timeout=timeout)]
    except TimeoutError:
        await ctx.call_activity("record", input="timed out")
        return ["late", await ctx.wait_for_external_event("go")]


async def outlived_timeout(ctx: WorkflowContext, milliseconds: int) -> list[object]:
    """Let the timeout of an event that came in time go by."""
    timeout = milliseconds * _MILLISECOND
    data = await ctx.wait_for_external_event("go", timeout=timeout)
    await ctx.create_timer(timeout)
    return [data, await ctx.wait_for_external_event("go")]


async def messenger(ctx: WorkflowContext, target: str) -> str:
    """Raise event `go` to another instance."""
    ctx.send_event(target, "go", data={"from": ctx.instance_id})
    return "sent"


async def soliloquist(ctx: WorkflowContext, data: object) -> object:
    """Raise event `go` to itself, and return what comes."""
    ctx.send_event(ctx.instance_id, "go", data=data)
    return await ctx.wait_for_external_event("go")


async def pause_witness(ctx: WorkflowContext) -> list[object]:
    """Record every turn's cause: a short timer, gate `gate`, event `go`."""

    async def witness(task: Task[Any], what: str) -> object:
        result = await task
        await ctx.call_activity("record", input=what)
        return result

    return await when_all(
        [
            witness(ctx.create_timer(20 * _MILLISECOND), "timer"),
            witness(ctx.call_activity("gate", input="gate"), "gate passed"),
            witness(ctx.wait_for_external_event("go"), "event"),
        ]
    )


async def timer(ctx: WorkflowContext, milliseconds: int) -> float:
    """Return how many milliseconds went by on the workflow's own clock."""
    before = ctx.current_utc_datetime
    await ctx.create_timer(milliseconds * _MILLISECOND)
    return (ctx.current_utc_datetime - before) / _MILLISECOND


async def timers(ctx: WorkflowContext, milliseconds: list[int]) -> list[int]:
    """Return the durations in the order in which their timers fired."""
    fired = []

    async def wait(duration: int) -> None:
        await ctx.create_timer(duration * _MILLISECOND)
        fired.append(duration)

    await when_all([wait(duration) for duration in milliseconds])
    return fired


async def deadline(ctx: WorkflowContext, at: str) -> str:
    """Wait until a time, and return the time at which that was over."""
    await ctx.create_timer(datetime.fromisoformat(at))
    return ctx.current_utc_datetime.isoformat()


async def started_at(ctx: WorkflowContext) -> str:
    """Return the time of the first turn."""
    return ctx.current_utc_datetime.isoformat()


async def never_or_event(ctx: WorkflowContext, at: str) -> object:
    """Return the data of event `go`, racing it against a timer that is not to fire."""
    alarm = ctx.create_timer(datetime.fromisoformat(at))
    event = ctx.wait_for_external_event("go")
    winner = await when_any([alarm, event])
    return winner.get_result() if winner is event else "fired"
