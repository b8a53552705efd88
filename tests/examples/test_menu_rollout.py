"""The roll-out example: batches, a question, a roll-back in reverse."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from demo import reached
from flowyard import ActivityContext, WorkflowStatus
from menu_rollout import (
    AWAITING_DECISION,
    Change,
    Rollout,
    RolloutResult,
    app,
    regions,
    roll_out,
    world,
)

if TYPE_CHECKING:
    from examples.conftest import OpenRuntime, StartProgram
    from flowyard.testing import OpenWorkflowKit

ROLLOUT = Rollout("autumn menu", regions())
STORES = [store for region in regions() for store in region.stores]


def called(activity: str) -> list[str]:
    """The stores that an activity was called for, in order."""
    return [store for name, store in world.calls() if name == activity]


async def test_every_store_gets_the_menu_region_after_region(open_runtime: OpenRuntime) -> None:
    async with open_runtime(app) as runtime:
        state = await runtime.wait(await runtime.start(roll_out, input=ROLLOUT))
    assert state.result(RolloutResult) == RolloutResult(updated=STORES)
    assert state.custom_status == "100%"
    assert world.get("menu of South-080") == "autumn menu"
    updated = called("update_store")
    assert sorted(updated) == sorted(STORES)
    order = ["North", "Centre", "South"]
    assert list(dict.fromkeys(store.split("-")[0] for store in updated)) == order
    # A batch is a barrier: a later one begins when all of its stores are done.
    assert set(updated[:50]) == set(STORES[:50])
    assert set(updated[50:100]) == set(STORES[50:100])


async def test_few_failures_are_reported_and_tolerated(open_runtime: OpenRuntime) -> None:
    broken = ["North-007", "South-080"]
    world.put("broken", broken)
    async with open_runtime(app) as runtime:
        state = await runtime.wait(await runtime.start(roll_out, input=ROLLOUT))
    result = state.result(RolloutResult)
    assert result.failed == broken
    assert result.updated == [store for store in STORES if store not in broken]
    assert not called("ask_to_continue")


@pytest.mark.parametrize(("decision", "rolled_back"), [(True, 0), (False, 167)])
async def test_more_than_five_percent_of_failures_wait_for_a_decision(
    open_runtime: OpenRuntime, decision: bool, rolled_back: int
) -> None:
    broken = [f"Centre-{number:03}" for number in range(1, 4)]
    world.put("broken", broken)
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(roll_out, input=ROLLOUT)
        state = await reached(
            runtime, instance_id, lambda state: state.custom_status == AWAITING_DECISION
        )
        assert state.status is WorkflowStatus.RUNNING
        assert called("ask_to_continue") == ["3 of 50 stores of Centre failed"]
        await runtime.raise_event(instance_id, "continue", decision)
        state = await runtime.wait(instance_id)
    result = state.result(RolloutResult)
    assert result.failed == broken
    assert len(result.rolled_back) == rolled_back
    assert len(result.updated) == (297 if decision else 0)
    assert called("restore_store") == result.rolled_back
    before = STORES[:170]
    assert result.rolled_back == (
        [] if decision else [store for store in reversed(before) if store not in broken]
    )


async def test_silence_for_a_day_rolls_the_menu_back(workflow_kit: OpenWorkflowKit) -> None:
    def fails_in_the_south(ctx: ActivityContext, change: Change) -> None:
        if change.store.startswith("South"):
            raise ConnectionError("the south does not answer")

    async with workflow_kit(app, activities={"update_store": fails_in_the_south}) as kit:
        started = kit.clock.now()
        state = await kit.wait(await kit.runtime.start(roll_out, input=ROLLOUT))
        assert kit.clock.now() - started == timedelta(days=1) // timedelta(microseconds=1)
    result = state.result(RolloutResult)
    assert result.failed == STORES[220:270]
    assert result.rolled_back == STORES[219::-1]


def test_a_rollout_whose_program_is_killed_updates_no_recorded_store_again(
    start_program: StartProgram,
) -> None:
    first = start_program("menu_rollout.py", "--pace", "0.3")
    first.read_until("33%")
    first.kill()
    output = start_program("menu_rollout.py", "--pace", "0").finish()
    assert any(line.startswith("Resuming rollout-1: ") for line in output)
    expected = "rollout-1 is COMPLETED: 300 stores have the menu, 0 failed, 0 were rolled back."
    assert expected in output
    times = Counter(called("update_store"))
    assert [times[store] for store in STORES[:100]] == [1] * 100
    assert set(times) == set(STORES)
