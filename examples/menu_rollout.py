"""Roll out a menu to 300 stores, 50 at a time, and undo it all if too many stores fail.

    $ python examples/menu_rollout.py --broken 8 --decision roll-back
    Started rollout-1.
    …
      ask_to_continue: 8 of 50 stores of Centre failed
    The demo answers the question itself: roll-back.
    rollout-1 is COMPLETED: 0 stores have the menu, 8 failed, 162 were rolled back.

Without options nothing fails, and all stores get the menu.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from demo import launch, options, reached, resume_or_start
from flowyard import ActivityContext, App, Runtime, TaskFailedError, WorkflowContext, when_all
from outside_world import OutsideWorld, say

AWAITING_DECISION = "waiting for a decision"
BATCH = 50
TOLERATED = 0.05

app = App()
world = OutsideWorld("menu_rollout-world.db")


@dataclass(frozen=True)
class Region:
    """Stores that get the menu together."""

    name: str
    stores: list[str]


@dataclass(frozen=True)
class Rollout:
    """A menu and where it goes, in this order. A question is answered with "no" after a while."""

    menu: str
    regions: list[Region]
    decide_within: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Change:
    """A menu for one store."""

    store: str
    menu: str


@dataclass
class RolloutResult:
    """What happened to the stores."""

    updated: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    rolled_back: list[str] = field(default_factory=list)


@app.activity
def update_store(ctx: ActivityContext, change: Change) -> None:
    """Send the menu to a store. Doing so twice does no harm, so it needs no idempotency key."""
    world.work(ctx, "update_store", change.store)
    if change.store in world.get("broken", []):
        raise ConnectionError(f"{change.store} does not answer")
    world.put(f"menu of {change.store}", change.menu)


@app.activity
def restore_store(ctx: ActivityContext, store: str) -> None:
    """Give a store its old menu back."""
    world.work(ctx, "restore_store", store)
    world.put(f"menu of {store}", "the old menu")


@app.activity
def ask_to_continue(ctx: ActivityContext, question: str) -> None:
    """Ask the people in charge, who answer with the event `continue`: true or false."""
    world.step(ctx, "ask_to_continue", question)


async def update(ctx: WorkflowContext, change: Change) -> bool:
    """Update one store and say whether it worked."""
    try:
        await ctx.call_activity(update_store, input=change)
    except TaskFailedError:
        return False
    return True


async def may_continue(ctx: WorkflowContext, question: str, within: timedelta) -> bool:
    """Ask, and take silence for a no."""
    await ctx.call_activity(ask_to_continue, input=question)
    ctx.set_custom_status(AWAITING_DECISION)
    try:
        return await ctx.wait_for_external_event("continue", timeout=within, data_type=bool)
    except TimeoutError:
        return False


@app.workflow
async def roll_out(ctx: WorkflowContext, rollout: Rollout) -> RolloutResult:
    """Update region after region; too many failures in a batch stop it, or undo all of it."""
    result = RolloutResult()
    total = sum(len(region.stores) for region in rollout.regions)
    for region in rollout.regions:
        stores = iter(region.stores)
        while batch := list(islice(stores, BATCH)):
            outcomes = await when_all([update(ctx, Change(store, rollout.menu)) for store in batch])
            failed = [store for store, done in zip(batch, outcomes, strict=True) if not done]
            result.failed += failed
            result.updated += [store for store in batch if store not in failed]
            percent = 100 * (len(result.updated) + len(result.failed)) // total
            ctx.set_custom_status(f"{percent}%")
            if len(failed) <= TOLERATED * len(batch):
                continue
            question = f"{len(failed)} of {len(batch)} stores of {region.name} failed"
            if not await may_continue(ctx, question, rollout.decide_within):
                return await roll_back(ctx, result)
            ctx.set_custom_status(f"{percent}%")
    return result


async def roll_back(ctx: WorkflowContext, result: RolloutResult) -> RolloutResult:
    """Restore what was updated, the last store first."""
    ctx.set_custom_status("rolling back")
    while result.updated:
        store = result.updated[-1]
        await ctx.call_activity(restore_store, input=store)
        result.rolled_back.append(result.updated.pop())
    return result


def regions() -> list[Region]:
    """Three regions of 100, 120 and 80 stores."""
    sizes = {"North": 120, "Centre": 100, "South": 80}
    return [
        Region(name, [f"{name}-{number:03}" for number in range(1, size + 1)])
        for name, size in sizes.items()
    ]


async def show_progress(runtime: Runtime, instance_id: str) -> None:
    """Print each percentage that is reached, until the end or a question."""
    shown: set[str | None] = {None}
    while True:
        state = await reached(runtime, instance_id, lambda state: state.custom_status not in shown)
        if state.custom_status not in shown and "%" in (state.custom_status or ""):
            say(str(state.custom_status))
        shown.add(state.custom_status)
        if state.status.is_closed or state.custom_status == AWAITING_DECISION:
            return


async def run(arguments: argparse.Namespace) -> None:
    """Roll the menu out, answering the question if there is one."""
    async with Runtime.open(arguments.components, app) as runtime:
        instance_id = await resume_or_start(
            runtime, roll_out, "rollout", Rollout("autumn menu", regions())
        )
        await show_progress(runtime, instance_id)
        state = await runtime.get(instance_id)
        if not state.status.is_closed:
            say(f"The demo answers the question itself: {arguments.decision}.")
            await runtime.raise_event(instance_id, "continue", arguments.decision == "continue")
        state = await runtime.wait(instance_id)
    result = state.result(RolloutResult)
    say(
        f"{instance_id} is {state.status}: {len(result.updated)} stores have the menu, "
        f"{len(result.failed)} failed, {len(result.rolled_back)} were rolled back."
    )


def main() -> None:
    """Run the example."""
    parser = options("Roll a menu out to 300 stores.", pace=0.1)
    parser.add_argument(
        "--broken", type=int, default=0, help="how many stores of the second region do not answer"
    )
    parser.add_argument(
        "--decision",
        choices=("continue", "roll-back"),
        default="continue",
        help="the answer when too many fail (%(default)s)",
    )
    arguments = parser.parse_args()
    world.pace = arguments.pace
    world.put("broken", regions()[1].stores[: arguments.broken])
    launch(run(arguments))


if __name__ == "__main__":
    main()
