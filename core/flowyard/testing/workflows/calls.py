"""Workflows of activities: chained, side by side, racing, failing, retried."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from flowyard.errors import TaskFailedError
from flowyard.workflow.context import WorkflowContext
from flowyard.workflow.retry import RetryPolicy
from flowyard.workflow.task import Task, when_all, when_any

_MILLISECOND = timedelta(milliseconds=1)
RETRY_DELAYS = [10, 20, 30, 30]
"""Milliseconds between the five attempts of `retries`: first 10, doubled, at most 30."""
RETRY = RetryPolicy(
    first_retry_interval=10 * _MILLISECOND,
    max_number_of_attempts=5,
    backoff_coefficient=2.0,
    max_retry_interval=30 * _MILLISECOND,
)


async def nothing(ctx: WorkflowContext) -> None:
    """Return None after a step."""
    await ctx.call_activity("echo")


async def relay(ctx: WorkflowContext, value: object = None) -> object:
    """Pass the input through an activity."""
    return await ctx.call_activity("echo", input=value)


async def chain(ctx: WorkflowContext, value: int) -> list[int]:
    """Double three times, each with the result before."""
    results = []
    for _ in range(3):
        value = await ctx.call_activity("double", input=value)
        results.append(value)
    return results


def yielding(ctx: WorkflowContext, value: int) -> Generator[Task[Any], Any, int]:
    """The chain as a generator."""
    first = yield ctx.call_activity("double", input=value)
    second = yield ctx.call_activity("double", input=first)
    return int(second)


async def fan_out(ctx: WorkflowContext, width: int) -> list[int]:
    return await when_all([ctx.call_activity("double", input=number) for number in range(width)])


async def strands(ctx: WorkflowContext, width: int) -> list[int]:
    """Run coroutines of workflow code side by side."""

    async def twice(value: int) -> int:
        doubled: int = await ctx.call_activity("double", input=value)
        return int(await ctx.call_activity("double", input=doubled))

    return await when_all([twice(number) for number in range(width)])


async def call_facts(ctx: WorkflowContext) -> list[object]:
    described = [await ctx.call_activity("describe_call") for _ in range(2)]
    return [*described, await ctx.call_activity("is_in_a_thread")]


async def gated(ctx: WorkflowContext) -> object:
    """Stand at gate `gate`, then record `after`."""
    held = await ctx.call_activity("gate", input="gate")
    await ctx.call_activity("record", input="after")
    return held


async def race(ctx: WorkflowContext) -> list[object]:
    """Let `fast` win against gate `slow`, then stand at gate `second`."""
    slow = ctx.call_activity("gate", input="slow")
    fast = ctx.call_activity("echo", input="fast")
    winner = await when_any([slow, fast])
    await ctx.call_activity("record", input="decided")
    second = await ctx.call_activity("gate", input="second")
    return [winner is fast, winner.get_result(), second]


async def details(ctx: WorkflowContext, message: str) -> dict[str, object]:
    """Catch the failure of an activity and return what the error tells."""
    try:
        await ctx.call_activity("broken", input=message)
    except TaskFailedError as error:
        return failure_of(error)
    return {}


async def partly_broken(ctx: WorkflowContext) -> list[object]:
    """Catch the failure of one of several activities, and go on."""
    try:
        await when_all(
            [ctx.call_activity("echo", input=1), ctx.call_activity("broken", input="one failed")]
        )
    except TaskFailedError as error:
        return ["caught", error.details.message, await ctx.call_activity("echo", input="goes on")]
    return []


async def uncaught(ctx: WorkflowContext, message: str) -> None:
    """Let the failure of an activity end the workflow."""
    await ctx.call_activity("broken", input=message)


async def retries(ctx: WorkflowContext, failures: int) -> object:
    """Call an activity that fails so many times, with at most five attempts."""
    try:
        return await ctx.call_activity("flaky", input=failures, retry_policy=RETRY)
    except TaskFailedError as error:
        return failure_of(error)


async def hopeless(ctx: WorkflowContext) -> str:
    """Call an activity that rules out further attempts."""
    try:
        await ctx.call_activity("hopeless", input="no way", retry_policy=RETRY)
    except TaskFailedError as error:
        return error.details.error_type
    return ""


async def hopeless_by_name(ctx: WorkflowContext) -> str:
    """Call an activity whose error the policy rules out."""
    policy = RetryPolicy(
        first_retry_interval=_MILLISECOND,
        max_number_of_attempts=5,
        non_retryable_error_types=["BrokenStep"],
    )
    try:
        await ctx.call_activity("broken", input="no way", retry_policy=policy)
    except TaskFailedError as error:
        return error.details.error_type
    return ""


async def timed_out_retries(ctx: WorkflowContext) -> str:
    """Retry within a total time that is over before the second attempt could begin."""
    policy = RetryPolicy(
        first_retry_interval=timedelta(hours=1),
        max_number_of_attempts=5,
        retry_timeout=timedelta(minutes=30),
    )
    try:
        await ctx.call_activity("flaky", input=5, retry_policy=policy)
    except TaskFailedError as error:
        return error.details.message
    return ""


def failure_of(error: TaskFailedError) -> dict[str, object]:
    """Return what an error tells of a failed task, as a payload."""
    cause = error.details.cause
    return {
        "type": error.details.error_type,
        "message": error.details.message,
        "has_stack": bool(error.details.stack_trace),
        "cause": cause.error_type if cause else None,
    }
