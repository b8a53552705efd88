"""Workflows of many shapes, whose results tell whether every step was recorded once.

Each run of an activity makes a new token and writes it to a log; the workflows return the tokens
that they were given. So a token that changes, is lost or comes twice shows in the output.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from flowyard import (
    ActivityContext,
    App,
    RetryPolicy,
    TaskFailedError,
    WorkflowContext,
    when_all,
    when_any,
)

EACH = 20
"""How many instances there are of each shape."""
MOMENT = timedelta(milliseconds=20)
END = "end"
# A call of an activity that it lacks shall fail, as one of its shapes expects.
app = App(unknown_activities="fail")
_log = os.open(os.environ.get("FLOWYARD_TEST_LOG", os.devnull), os.O_WRONLY | os.O_APPEND)


def tokens_in(log: Path) -> list[tuple[str, str]]:
    """Return the instance and the token of every run of an activity that got to its end."""
    # The last line of a killed process is whole: it is one write.
    return [
        (line.split(" ")[0], line.split(" ")[2])
        for line in log.read_text().splitlines()
        if len(line.split(" ")) == 3
    ]


@app.activity
async def step(ctx: ActivityContext, label: str) -> str:
    token = uuid.uuid4().hex
    os.write(_log, f"{ctx.workflow_id} {ctx.task_execution_id} {token}\n".encode())
    return token


@app.activity
async def flaky(ctx: ActivityContext) -> str:
    if random.random() < 0.5:  # noqa: S311 - fails for no reason, as networks do
        raise ConnectionError("by chance")
    return await step(ctx, "flaky")


@app.activity
def step_in_a_thread(ctx: ActivityContext, label: str) -> str:
    token = uuid.uuid4().hex
    os.write(_log, f"{ctx.workflow_id} {ctx.task_execution_id} {token}\n".encode())
    return token


@app.workflow
async def chain(ctx: WorkflowContext) -> list[str]:
    return [await ctx.call_activity(step, input=label) for label in ("a", "b", "c")]


@app.workflow
async def fan_out(ctx: WorkflowContext) -> list[str]:
    return await when_all(
        [
            ctx.call_activity(step_in_a_thread if number % 2 else step, input=str(number))
            for number in range(5)
        ]
    )


@app.workflow
async def retried(ctx: WorkflowContext) -> list[str]:
    policy = RetryPolicy(first_retry_interval=MOMENT / 4, max_number_of_attempts=50)
    return [
        await ctx.call_activity(flaky, retry_policy=policy),
        await ctx.call_activity(flaky, retry_policy=policy),
    ]


@app.workflow
async def timed(ctx: WorkflowContext) -> list[str]:
    tokens = []
    for label in ("a", "b", "c"):
        await ctx.create_timer(MOMENT)
        tokens.append(await ctx.call_activity(step, input=label))
    return tokens


@app.workflow
async def collecting(ctx: WorkflowContext) -> list[str]:
    """Return all that is raised until the end is."""
    received = []
    while (item := await ctx.wait_for_external_event("item", data_type=str)) != END:
        received.append(item)
    return received


@app.workflow
async def collecting_for_ever(ctx: WorkflowContext, received: list[str]) -> list[str]:
    """The same in an execution for each; what comes meanwhile is kept."""
    item = await ctx.wait_for_external_event("item", data_type=str)
    if item != END:
        ctx.continue_as_new([*received, item], save_events=True)
    return received


@app.workflow
async def renewing(ctx: WorkflowContext, tokens: list[str]) -> list[str]:
    tokens = [*tokens, await ctx.call_activity(step, input=str(len(tokens)))]
    if len(tokens) < 5:
        ctx.continue_as_new(tokens)
    return tokens


@app.workflow
async def family(ctx: WorkflowContext) -> list[str]:
    first, second = await when_all([ctx.call_child_workflow(chain), ctx.call_child_workflow(timed)])
    return [*first, *second, await ctx.call_activity(step, input="last")]


@app.workflow
async def racing(ctx: WorkflowContext) -> list[str]:
    never = ctx.wait_for_external_event("never", timeout=MOMENT)
    token = ctx.call_activity(step, input="first")
    winner = await when_any([never, token])
    if winner is not token:
        await token
    try:
        await never
    except TimeoutError:
        return [token.get_result(), await ctx.call_activity(step, input="too late")]
    raise AssertionError("nobody raises it")


@app.workflow
async def paused(ctx: WorkflowContext) -> list[str]:
    """Say in the custom status how far it is; others pause and resume it."""
    tokens = []
    for number in range(4):
        ctx.set_custom_status(f"step {number}")
        await ctx.create_timer(MOMENT)
        tokens.append(await ctx.call_activity(step, input=str(number)))
    ctx.set_custom_status("all steps")
    return tokens


@app.workflow
async def failing(ctx: WorkflowContext) -> list[str]:
    tokens = [await ctx.call_activity(step, input="before")]
    try:
        await ctx.call_activity("missing")
    except TaskFailedError:
        tokens.append(await ctx.call_activity(step, input="compensation"))
    return tokens


SHAPES: Mapping[str, tuple[Callable[..., object], object]] = {
    "chain": (chain, None),
    "fan_out": (fan_out, None),
    "retried": (retried, None),
    "timed": (timed, None),
    "collecting": (collecting, None),
    "collecting_for_ever": (collecting_for_ever, []),
    "renewing": (renewing, []),
    "family": (family, None),
    "racing": (racing, None),
    "paused": (paused, None),
    "failing": (failing, None),
}


def instances_of(each: int) -> list[tuple[str, str]]:
    """Return IDs and shapes of so many instances of each shape."""
    return [(f"{shape}-{number}", shape) for number in range(each) for shape in SHAPES]


INSTANCES = instances_of(EACH)
