"""Workflows with children, with further executions, and with code that changes."""

from __future__ import annotations

from typing import Any

from flowyard.errors import TaskFailedError
from flowyard.testing.workflows.calls import RETRY, failure_of
from flowyard.workflow.context import WorkflowContext
from flowyard.workflow.task import when_all, when_any


def echo(_ctx: WorkflowContext, value: object = None) -> object:
    """Return the input."""
    return value


async def failing(_ctx: WorkflowContext, message: str) -> None:
    """Fail with a ValueError of that message, caused by a KeyError."""
    raise ValueError(message) from KeyError("the root of it")


async def statuses(ctx: WorkflowContext) -> str:
    """Set a custom status of text, then one of JSON, with a gate after each."""
    ctx.set_custom_status("half way")
    await ctx.call_activity("gate", input="first")
    ctx.set_custom_status({"percent": 75})
    await ctx.call_activity("gate", input="second")
    return "done"


async def parent(ctx: WorkflowContext, call: dict[str, Any]) -> object:
    """Call the child workflow `child` with `input` under `id`; catch its failure."""
    retry = RETRY if call.get("retry") else None
    try:
        return await ctx.call_child_workflow(
            call["child"], input=call.get("input"), instance_id=call.get("id"), retry_policy=retry
        )
    except TaskFailedError as error:
        return failure_of(error)


async def late_parent(ctx: WorkflowContext, call: dict[str, Any]) -> object:
    """The same after gate `gate`."""
    await ctx.call_activity("gate", input="gate")
    return await parent(ctx, call)


async def nursery(ctx: WorkflowContext, width: int) -> list[Any]:
    return await when_all(
        [ctx.call_child_workflow("echo", input=number) for number in range(width)]
    )


async def siblings(ctx: WorkflowContext, ids: list[str]) -> list[Any]:
    """Call `echo` under the first ID and `waiter` under the second; return both results."""
    first, second = ids
    return await when_all(
        [
            ctx.call_child_workflow("echo", input="ended", instance_id=first),
            ctx.call_child_workflow("waiter", instance_id=second),
        ]
    )


async def twins(ctx: WorkflowContext, child_id: str) -> list[Any]:
    """Call two children that wait, under one ID in one turn; record `refused` if one fails."""

    async def call() -> object:
        try:
            return await ctx.call_child_workflow("waiter", instance_id=child_id)
        except TaskFailedError as error:
            await ctx.call_activity("record", input="refused")
            return failure_of(error)

    return await when_all([call(), call()])


async def own_child(ctx: WorkflowContext) -> str:
    """Call a child under the instance's own ID, and end without waiting for it."""
    ctx.call_child_workflow("echo", input="the child", instance_id=ctx.instance_id)
    return "the parent"


async def teller(ctx: WorkflowContext, child_id: str) -> object:
    """Send an event to a child in the turn that starts it, and return what the child returns."""
    child = ctx.call_child_workflow("waiter", instance_id=child_id)
    ctx.send_event(child_id, "go", data="told")
    return await child


async def claimant(ctx: WorkflowContext, child_id: str) -> object:
    """Call a child under this ID, record `refused` if that fails, and wait for event `go`."""
    try:
        await ctx.call_child_workflow("echo", input=1, instance_id=child_id)
    except TaskFailedError:
        await ctx.call_activity("record", input="refused")
    return await ctx.wait_for_external_event("go")


async def flaky_child(ctx: WorkflowContext, failures: int) -> object:
    """Fail as its activity does."""
    return await ctx.call_activity("flaky", input=failures)


async def renewed_parent(ctx: WorkflowContext, child_id: str | None) -> str:
    """Call a child under this ID, and end in another execution than that."""
    if child_id is not None:
        await ctx.call_child_workflow("echo", input=1, instance_id=child_id)
        ctx.continue_as_new(None)
    return "done"


async def countdown(ctx: WorkflowContext, rounds: int) -> list[object]:
    """Continue as new until no round is left; say so in the custom status."""
    await ctx.call_activity("record", input=rounds)
    if rounds:
        ctx.set_custom_status(f"{rounds} left")
        ctx.continue_as_new(rounds - 1)
    return ["done", rounds]


async def eternal(ctx: WorkflowContext, seen: list[object]) -> list[object]:
    """Collect one event `item` an execution, keeping the others, until it is `end`."""
    item = await ctx.wait_for_external_event("item")
    if item == "end":
        return seen
    ctx.continue_as_new([*seen, item], save_events=True)
    return []


async def keeper(ctx: WorkflowContext, seen: list[object]) -> list[object]:
    """The same after gate `gate`, so that events are kept before the first is taken."""
    if not seen:
        await ctx.call_activity("gate", input="gate")
    return await eternal(ctx, seen)


async def forgetful(ctx: WorkflowContext, is_second: bool) -> object:
    """Continue as new after gate `gate`, without what was raised before."""
    if is_second:
        await ctx.call_activity("record", input="second")
        return await ctx.wait_for_external_event("go")
    await ctx.call_activity("gate", input="gate")
    ctx.continue_as_new(True, save_events=False)
    return None


async def abandoned_task(ctx: WorkflowContext, is_second: bool) -> object:
    """Leave an activity behind at gate `old`, and call another one under the same task ID."""
    if is_second:
        return await ctx.call_activity("gate", input="new")
    abandoned = ctx.call_activity("gate", input="old")
    await when_any([abandoned, ctx.wait_for_external_event("go")])
    ctx.continue_as_new(True)
    return None


async def child_left_behind(ctx: WorkflowContext, is_second: bool) -> object:
    """Leave a child behind that waits, and call another one under the same action ID."""
    if is_second:
        return await ctx.call_child_workflow("echo", input="second")
    ctx.call_child_workflow("waiter")
    await ctx.call_activity("gate", input="begun")
    ctx.continue_as_new(True)
    return None


async def deterministic(ctx: WorkflowContext) -> list[object]:
    """Return what each replay must find again: IDs and times, before and after event `go`."""
    before = [str(ctx.new_uuid()), str(ctx.new_uuid()), ctx.current_utc_datetime.isoformat()]
    await ctx.call_activity("record", input="|".join(before))
    await ctx.call_activity("record", input="ready")
    await ctx.wait_for_external_event("go")
    return [*before, str(ctx.new_uuid())]


async def evolving(ctx: WorkflowContext) -> str:
    """Wait for event `go`, as the code was at first."""
    await ctx.call_activity("record", input="started")
    await ctx.wait_for_external_event("go")
    return "email"


async def evolving_patched(ctx: WorkflowContext) -> str:
    """The same after a change that leaves older instances alone."""
    is_new = ctx.is_patched("texts")
    await ctx.call_activity("record", input="started")
    await ctx.wait_for_external_event("go")
    return "text" if is_new else "email"


async def evolving_broken(ctx: WorkflowContext) -> str:
    """The same after a change that does not fit older histories."""
    await ctx.call_activity("double", input=1)
    await ctx.wait_for_external_event("go")
    return "text"
