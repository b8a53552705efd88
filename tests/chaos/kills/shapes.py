"""The workflows of the process that is killed, and what each has to come to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chaos.lines import report
from flowyard import (
    ActivityContext,
    App,
    RetryPolicy,
    TaskFailedError,
    WorkflowContext,
    when_all,
    when_any,
)
from flowyard.backend.component import Capability

CHANCE = random.Random()  # noqa: S311 - not for secrets
"""What tokens are made of, and by what activities fail for no reason, as networks do."""
END = "end"
REFUSED = "refused"
UNORDERED = "*"
"""What stands behind the @ of events that were raised at once."""
LIVES_OF_CIRCLING = 2
_MOMENT = timedelta(milliseconds=15)
_RETRIES = RetryPolicy(first_retry_interval=_MOMENT / 3, max_number_of_attempts=60)
app = App()


def _token(ctx: ActivityContext) -> str:
    token = f"{CHANCE.getrandbits(64):016x}"
    report("ran", ctx.workflow_id, ctx.task_execution_id, token)
    return token


@app.activity
async def step(ctx: ActivityContext, milliseconds: int) -> str:
    """Take so long, and return a token that no other run returns."""
    if milliseconds:
        await asyncio.sleep(milliseconds / 1000)
    return _token(ctx)


@app.activity
def step_in_a_thread(ctx: ActivityContext) -> str:
    return _token(ctx)


@app.activity
async def flaky(ctx: ActivityContext) -> str:
    if CHANCE.random() < 0.5:
        raise ConnectionError("by chance")
    return _token(ctx)


@app.activity
async def broken(ctx: ActivityContext) -> str:
    raise ValueError("always")


@app.workflow
async def chain(ctx: WorkflowContext) -> list[str]:
    return [await ctx.call_activity(step, input=number) for number in range(3)]


@app.workflow
async def fan_out(ctx: WorkflowContext) -> list[str]:
    steps = [ctx.call_activity(step, input=number) for number in range(3)]
    threads = [ctx.call_activity(step_in_a_thread) for _ in range(3)]
    return await when_all([*steps, *threads])


@app.workflow
async def racing(ctx: WorkflowContext) -> list[str]:
    never = ctx.wait_for_external_event("never", timeout=_MOMENT)
    first = ctx.call_activity(step, input=5)
    if await when_any([never, first]) is not first:
        await first
    try:
        await never
    except TimeoutError:
        return [first.get_result(), await ctx.call_activity(step, input=0)]
    raise AssertionError("nobody raises it")


@app.workflow
async def timed(ctx: WorkflowContext) -> list[str]:
    tokens = []
    for _ in range(3):
        await ctx.create_timer(_MOMENT)
        tokens.append(await ctx.call_activity(step, input=0))
    return tokens


@app.workflow
async def retried(ctx: WorkflowContext) -> list[str]:
    return [await ctx.call_activity(flaky, retry_policy=_RETRIES) for _ in range(2)]


@app.workflow
async def failing(ctx: WorkflowContext) -> list[str]:
    try:
        await ctx.call_child_workflow(hopeless)
    except TaskFailedError:
        return [await ctx.call_activity(step, input=0)]
    raise AssertionError("the child cannot complete")


@app.workflow
async def hopeless(ctx: WorkflowContext) -> str:
    return await ctx.call_activity(broken)


@app.workflow
async def collecting(ctx: WorkflowContext) -> list[str]:
    """Return all that is raised until the end is."""
    received = []
    while (item := await ctx.wait_for_external_event("item", data_type=str)) != END:
        received.append(item)
    return received


@app.workflow
async def carrying(ctx: WorkflowContext, received: list[str]) -> list[str]:
    """The same in an execution for each event; what comes meanwhile is carried over."""
    item = await ctx.wait_for_external_event("item", data_type=str)
    if item != END:
        await ctx.call_activity(step, input=2)
        ctx.continue_as_new([*received, item], save_events=True)
    return received


@app.workflow
async def renewing(ctx: WorkflowContext, tokens: list[str]) -> list[str]:
    tokens = [*tokens, await ctx.call_activity(step, input=0)]
    if len(tokens) < 4:
        ctx.continue_as_new(tokens)
    return tokens


@app.workflow
async def one_step(ctx: WorkflowContext, milliseconds: int) -> str:
    return await ctx.call_activity(step, input=milliseconds)


@app.workflow
async def wide(ctx: WorkflowContext) -> list[str]:
    """Many children that end at about the same time."""
    children = [ctx.call_child_workflow(one_step, input=number) for number in range(10)]
    return await when_all(children)


@app.workflow
async def crowded(ctx: WorkflowContext) -> list[str]:
    """The same, with steps of its own meanwhile: its turns come between the ends of children."""
    children = [ctx.call_child_workflow(one_step, input=number) for number in range(10)]
    steps = [await ctx.call_activity(step, input=1) for _ in range(6)]
    return [*steps, *await when_all(children)]


@app.workflow
async def naming(ctx: WorkflowContext) -> list[str]:
    """Children with IDs of their own, one after the other and side by side."""
    name = ctx.instance_id
    first = await ctx.call_child_workflow(one_step, input=1, instance_id=f"{name}.first")
    others = [
        ctx.call_child_workflow(one_step, input=number, instance_id=f"{name}.{number}")
        for number in range(2)
    ]
    return [first, *await when_all(others)]


@app.workflow
async def twins(ctx: WorkflowContext) -> list[str]:
    """Two children with one ID: the first runs, the second is refused."""
    name = f"{ctx.instance_id}.twin"
    pair = [ctx.call_child_workflow(one_step, input=3, instance_id=name) for _ in range(2)]
    outcomes = []
    for child in pair:
        try:
            outcomes.append(await child)
        except TaskFailedError:
            outcomes.append(REFUSED)
    return outcomes


@app.workflow
async def nesting(ctx: WorkflowContext) -> list[str]:
    """A family of three generations."""
    families = await when_all([ctx.call_child_workflow(family) for _ in range(2)])
    return [token for tokens in families for token in tokens]


@app.workflow
async def family(ctx: WorkflowContext) -> list[str]:
    chained, *others = await when_all(
        [ctx.call_child_workflow(chain), ctx.call_child_workflow(timed)]
    )
    return [*chained, *others[0], await ctx.call_activity(step, input=0)]


@app.workflow
async def waiting(ctx: WorkflowContext) -> list[str]:
    """Never end, nor the child: others terminate it."""
    await ctx.call_activity(step, input=0)
    await ctx.call_child_workflow(waiting_alone)
    raise AssertionError("the child cannot complete")


@app.workflow
async def waiting_alone(ctx: WorkflowContext) -> None:
    await ctx.wait_for_external_event("never")


@app.workflow
async def paused(ctx: WorkflowContext) -> list[str]:
    """Take some turns; others pause and resume it."""
    tokens = []
    for _ in range(5):
        await ctx.create_timer(_MOMENT)
        tokens.append(await ctx.call_activity(step, input=0))
    return tokens


@app.workflow
async def sending(ctx: WorkflowContext, target: str) -> list[str]:
    """Send to a collector, and to itself."""
    ctx.send_event(target, "item", data=f"{ctx.instance_id}/1")
    token = await ctx.call_activity(step, input=1)
    ctx.send_event(ctx.instance_id, "self", data="come")
    await ctx.wait_for_external_event("self")
    ctx.send_event(target, "item", data=f"{ctx.instance_id}/2")
    return [token]


@app.workflow
async def reborn(ctx: WorkflowContext, generation: int) -> list[str]:
    """One ID after the other's end: others purge it, or start it again."""
    return [str(generation), await ctx.call_activity(step, input=0)]


@app.workflow
async def lagging(ctx: WorkflowContext, tokens: list[str]) -> list[str]:
    """Executions that do not wait for activities: what these return later is nobody's."""
    slow = [ctx.call_activity(step, input=length) for length in (3, 6, 20)]
    tokens = [*tokens, await ctx.call_activity(step, input=1)]
    if len(tokens) < 4:
        ctx.continue_as_new(tokens)
        return tokens
    for _ in range(8):
        tokens.append(await ctx.call_activity(step, input=2))
    return [*tokens, *await when_all(slow)]


@app.workflow
async def reusing(ctx: WorkflowContext) -> list[str]:
    """Children with one ID, at about the time when the one before ends; each runs or is refused."""
    name, outcomes = again_of(ctx.instance_id), []
    for _ in range(4):
        child = ctx.call_child_workflow(one_step, input=2, instance_id=name)
        outcomes.append(await ctx.call_activity(step, input=2))
        again = ctx.call_child_workflow(one_step, input=0, instance_id=name)
        for child_id in (child, again):
            try:
                outcomes.append(await child_id)
            except TaskFailedError:
                outcomes.append(REFUSED)
    return outcomes


@app.workflow
async def trespassing(ctx: WorkflowContext, target: str) -> list[str]:
    """Ask for a child with the ID of an instance that runs, until others terminate it."""
    for _ in range(100):
        try:
            await ctx.call_child_workflow(one_step, input=0, instance_id=target)
        except TaskFailedError:
            await ctx.call_activity(step, input=0)
    await ctx.wait_for_external_event("never")
    raise AssertionError("nobody raises it")


@app.workflow
async def circling(ctx: WorkflowContext, life: int) -> list[str]:
    """An instance that begins again as the child of its own child."""
    if life == LIVES_OF_CIRCLING:
        return [await ctx.call_activity(step, input=0)]
    ctx.call_child_workflow(
        circling_back, input=ctx.instance_id, instance_id=back_of(ctx.instance_id)
    )
    return []


@app.workflow
async def circling_back(ctx: WorkflowContext, parent: str) -> None:
    while True:
        try:
            await ctx.call_child_workflow(circling, input=LIVES_OF_CIRCLING, instance_id=parent)
        except TaskFailedError:
            await ctx.create_timer(_MOMENT)
        else:
            return


@app.workflow
async def clearing(ctx: WorkflowContext) -> list[str]:
    """Children that others purge as soon as they have ended, perhaps before this has heard it."""
    tokens: list[str] = []
    for name in cleared_of(ctx.instance_id):
        child = ctx.call_child_workflow(one_step, input=1, instance_id=name)
        steps = [await ctx.call_activity(step, input=0) for _ in range(3)]
        tokens += [*steps, await child]
    return tokens


@app.workflow
async def namesake(ctx: WorkflowContext) -> list[str]:
    """Ask for children with its own ID, which are refused, between steps."""
    outcomes = []
    for _ in range(3):
        try:
            await ctx.call_child_workflow(one_step, input=0, instance_id=ctx.instance_id)
        except TaskFailedError:
            outcomes.append(REFUSED)
        outcomes.append(await ctx.call_activity(step, input=0))
    return outcomes


@dataclass(frozen=True, slots=True)
class Shape:
    """A workflow, what it is started with, and how many tokens it returns (None: events)."""

    workflow: Callable[..., Any]
    tokens: int | None
    input: object = None
    needs: frozenset[Capability] = frozenset()
    """What is done to it, beyond what every backend can."""


SHAPES: Mapping[str, Shape] = {
    "chain": Shape(chain, 3),
    "fan_out": Shape(fan_out, 6),
    "racing": Shape(racing, 2),
    "timed": Shape(timed, 3),
    "retried": Shape(retried, 2),
    "failing": Shape(failing, 1),
    "collecting": Shape(collecting, None),
    "carrying": Shape(carrying, None, []),
    "renewing": Shape(renewing, 4, []),
    "wide": Shape(wide, 10),
    "crowded": Shape(crowded, 16),
    "naming": Shape(naming, 3),
    "twins": Shape(twins, 1),
    "nesting": Shape(nesting, 14),
    "waiting": Shape(waiting, 0),
    "paused": Shape(paused, 5, needs=frozenset({Capability.PAUSE})),
    "sending": Shape(sending, 1),
    "delayed": Shape(chain, 3, needs=frozenset({Capability.START_AT})),
    "reborn": Shape(reborn, 1, needs=frozenset({Capability.PURGE})),
    "lagging": Shape(lagging, 15, []),
    "reusing": Shape(reusing, None),
    "trespassing": Shape(trespassing, 0),
    "circling": Shape(circling, 1, 1),
    "clearing": Shape(clearing, 12, needs=frozenset({Capability.PURGE})),
    "namesake": Shape(namesake, 3),
}

COLLECTORS = ("collecting", "carrying")
TARGETED = ("sending", "trespassing")
"""They are given the ID of a collector, which does not end before them."""
ENDLESS = ("waiting", "trespassing")
"""They end by being terminated."""


def back_of(circling: str) -> str:
    """Return the child of an instance of `circling` that becomes its parent."""
    return f"{circling}.back"


def again_of(reusing: str) -> str:
    """Return the ID that all children of an instance of `reusing` have."""
    return f"{reusing}.again"


def cleared_of(clearing: str) -> list[str]:
    """Return the children of an instance of `clearing`."""
    return [f"{clearing}.{number}" for number in range(3)]


def payloads_of(sender: str) -> list[str]:
    """Return what an instance of `sending` sends to its target."""
    return [f"{sender}/{number}" for number in (1, 2)]
