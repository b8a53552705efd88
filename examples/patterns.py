"""The patterns that workflows are made of, one small workflow each.

    $ python examples/patterns.py
    chaining: [2, 4, 6]
    chaining words: This is task chaining
    chaining with an error: FAILED, a step failed; the error handler ran
    fan-out: the sum is 110
    fan-out: the shortest word is 'is'
    approval: Auto-approved
    approval: Approved by 'Jane Doe'
    compensation: 1 (compensated minus_one with plus_one)
    children: ['child of a', 'child of b']

Monitoring, which has no end, is in monitor.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from demo import launch, options, reached
from flowyard import (
    ActivityContext,
    App,
    RetryPolicy,
    Runtime,
    Task,
    TaskFailedError,
    WorkflowContext,
    when_all,
)
from outside_world import OutsideWorld, say

app = App()
world = OutsideWorld("patterns-world.db")


# Chaining: each step gets the result of the one before.


@app.activity
async def add_one(ctx: ActivityContext, number: int) -> int:
    """The first step."""
    return number + 1


@app.activity
async def double(ctx: ActivityContext, number: int) -> int:
    """The second step, which some numbers are too large for."""
    if number > 1000:
        raise OverflowError(f"{number} is too large")
    return number * 2


@app.activity
async def xor_two(ctx: ActivityContext, number: int) -> int:
    """The last step."""
    return number ^ 2


@app.activity
def on_error(ctx: ActivityContext, message: str) -> None:
    """Clean up after a failed step."""
    world.work(ctx, "on_error", message)


@app.workflow
def chain(ctx: WorkflowContext, number: int) -> Generator[Task[Any], Any, list[int]]:
    """Run three steps; a generator that yields its tasks, as in Dapr's SDK, is a workflow too."""
    try:
        first = yield ctx.call_activity(add_one, input=number)
        second = yield ctx.call_activity(double, input=first)
        third = yield ctx.call_activity(xor_two, input=second)
    except TaskFailedError as error:
        yield ctx.call_activity(on_error, input=error.details.message)
        raise
    return [first, second, third]


@app.activity
async def append_word(ctx: ActivityContext, words: list[str]) -> str:
    """Join a sentence and its next word."""
    return " ".join(words)


@app.workflow
async def chain_words(ctx: WorkflowContext, sentence: str) -> str:
    """Let a sentence grow, a word a step."""
    for word in ("is", "task", "chaining"):
        sentence = await ctx.call_activity(append_word, input=[sentence, word])
    return sentence


# Fan-out, fan-in: many at once, then all results together.


@app.activity
async def get_work(ctx: ActivityContext, count: int) -> list[int]:
    """Find out what there is to do."""
    return list(range(1, count + 1))


@app.activity
async def do_work(ctx: ActivityContext, item: int) -> int:
    """Do one piece."""
    return 2 * item


@app.workflow
async def fan_out(ctx: WorkflowContext, count: int) -> int:
    """Do all pieces at once and return the sum of their results."""
    items = await ctx.call_activity(get_work, input=count)
    results = await when_all([ctx.call_activity(do_work, input=item) for item in items])
    return sum(results)


@app.activity
async def measure(ctx: ActivityContext, word: str) -> int:
    """Return the length of a word."""
    return len(word)


@app.workflow
async def shortest(ctx: WorkflowContext, words: list[str]) -> str:
    """Measure all words at once and return the shortest."""
    lengths = await when_all([ctx.call_activity(measure, input=word) for word in words])
    return words[lengths.index(min(lengths))]


# Approval: wait for a person, though not for ever.


@dataclass(frozen=True)
class Purchase:
    """What somebody wants to buy."""

    cost: int
    product: str = "computer"


@dataclass(frozen=True)
class Approval:
    """The data of the event `approval`."""

    approver: str


@app.activity
def ask_for_approval(ctx: ActivityContext, purchase: Purchase) -> None:
    """Send the request to a manager."""
    world.work(ctx, "ask_for_approval", purchase.product)


@app.activity
def place_order(ctx: ActivityContext, purchase: Purchase) -> None:
    """Order the product."""
    world.work(ctx, "place_order", purchase.product)


@app.workflow
async def approve_purchase(ctx: WorkflowContext, purchase: Purchase) -> str:
    """Order what is cheap at once, the rest when it is approved within a day."""
    if purchase.cost < 1000:
        await ctx.call_activity(place_order, input=purchase)
        return "Auto-approved"
    await ctx.call_activity(ask_for_approval, input=purchase)
    ctx.set_custom_status("waiting for approval")
    try:
        approval = await ctx.wait_for_external_event(
            "approval", timeout=timedelta(hours=24), data_type=Approval
        )
    except TimeoutError:
        return "Cancelled"
    await ctx.call_activity(place_order, input=purchase)
    return f"Approved by '{approval.approver}'"


# Compensation: what was done is undone in reverse when a later step fails for good.


@app.activity
def minus_one(ctx: ActivityContext, number: int) -> int:
    """A step that can be undone."""
    world.work(ctx, "minus_one", str(number))
    return number - 1


@app.activity
def plus_one(ctx: ActivityContext, number: int) -> int:
    """Undo it."""
    world.work(ctx, "plus_one", str(number))
    return number + 1


@app.activity
def divide_hundred(ctx: ActivityContext, by: int) -> int:
    """A step that fails for zero, however often it is tried."""
    world.work(ctx, "divide_hundred", str(by))
    return 100 // by


@app.workflow
async def compensate(ctx: WorkflowContext, number: int) -> int:
    """Run two steps and undo the first if the second fails three times, two seconds apart."""
    retries = RetryPolicy(first_retry_interval=timedelta(seconds=2), max_number_of_attempts=3)
    undo = []
    result = await ctx.call_activity(minus_one, input=number)
    undo.append(plus_one)
    try:
        return await ctx.call_activity(divide_hundred, input=result, retry_policy=retries)
    except TaskFailedError:
        for step in reversed(undo):
            result = await ctx.call_activity(step, input=result)
        ctx.set_custom_status("compensated minus_one with plus_one")
        return result


# Children: workflows of their own, with their own ID, history and retries.


@app.activity
def unreliable(ctx: ActivityContext, name: str) -> str:
    """Fail for the names that the outside world calls unready, once each."""
    world.work(ctx, "unreliable", name)
    if name in world.get("unready", []):
        world.drop("unready", name)
        raise ConnectionError(f"{name} is not ready")
    return f"child of {name}"


@app.workflow
async def child(ctx: WorkflowContext, name: str) -> str:
    """Do a part."""
    return await ctx.call_activity(unreliable, input=name)


@app.workflow
async def parent(ctx: WorkflowContext, names: list[str]) -> list[str]:
    """Start a child for each name and return their results in order."""
    retries = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=3)
    return await when_all(
        [
            ctx.call_child_workflow(
                child, input=name, instance_id=f"{ctx.instance_id}:{name}", retry_policy=retries
            )
            for name in names
        ]
    )


async def run(arguments: argparse.Namespace) -> None:
    """Run each pattern once."""
    async with Runtime.open(arguments.components, app) as runtime:

        async def result(workflow: Any, input: object) -> Any:
            return (await runtime.wait(await runtime.start(workflow, input=input))).result()

        say(f"chaining: {await result(chain, 1)}")
        say(f"chaining words: {await result(chain_words, 'This')}")
        state = await runtime.wait(await runtime.start(chain, input=1000))
        handled = ("on_error", "1001 is too large") in world.calls(state.instance_id)
        outcome = "the error handler ran" if handled else "nobody handled it"
        say(f"chaining with an error: {state.status}, a step failed; {outcome}")
        say(f"fan-out: the sum is {await result(fan_out, 10)}")
        words = ["which", "word", "is", "the", "shortest"]
        say(f"fan-out: the shortest word is {await result(shortest, words)!r}")
        say(f"approval: {await result(approve_purchase, Purchase(500))}")

        instance_id = await runtime.start(approve_purchase, input=Purchase(2000))
        await reached(runtime, instance_id, lambda state: state.custom_status is not None)
        await runtime.raise_event(instance_id, "approval", Approval("Jane Doe"))
        say(f"approval: {(await runtime.wait(instance_id)).result()}")

        state = await runtime.wait(await runtime.start(compensate, input=1))
        say(f"compensation: {state.result()} ({state.custom_status})")

        world.put("unready", ["b"])
        instance_id = f"family-{uuid4()}"
        await runtime.start(parent, input=["a", "b"], instance_id=instance_id)
        say(f"children: {(await runtime.wait(instance_id)).result()}")


def main() -> None:
    """Run the example."""
    arguments = options("Run each pattern once.", pace=0).parse_args()
    world.pace = arguments.pace
    launch(run(arguments))


if __name__ == "__main__":
    main()
