"""The pattern examples, scenarios P1, P2, P5, P6 and P7."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from demo import reached
from flowyard import ActivityContext, Runtime, WorkflowStatus
from patterns import (
    Purchase,
    app,
    approve_purchase,
    chain,
    chain_words,
    compensate,
    fan_out,
    parent,
    shortest,
    world,
)

if TYPE_CHECKING:
    from examples.conftest import OpenRuntime
    from flowyard.testing import OpenWorkflowKit


async def test_a_chain_hands_each_result_to_the_next_step(open_runtime: OpenRuntime) -> None:
    async with open_runtime(app) as runtime:
        numbers = await runtime.wait(await runtime.start(chain, input=1))
        words = await runtime.wait(await runtime.start(chain_words, input="This"))
    assert numbers.result() == [2, 4, 6]
    assert words.result() == "This is task chaining"


async def test_a_failing_step_runs_the_error_handler_and_then_fails_the_chain(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        state = await runtime.wait(await runtime.start(chain, input=1000))
    assert state.status is WorkflowStatus.FAILED
    assert world.calls(state.instance_id) == [("on_error", "1001 is too large")]
    assert state.failure is not None
    assert state.failure.cause is not None
    assert state.failure.cause.error_type == "OverflowError"


async def test_a_fan_out_gathers_all_results(open_runtime: OpenRuntime) -> None:
    words = ["which", "word", "is", "the", "shortest"]
    async with open_runtime(app) as runtime:
        total = await runtime.wait(await runtime.start(fan_out, input=10))
        word = await runtime.wait(await runtime.start(shortest, input=words))
    assert total.result() == 110
    assert word.result() == "is"


async def test_a_cheap_purchase_needs_no_approval(open_runtime: OpenRuntime) -> None:
    async with open_runtime(app) as runtime:
        state = await runtime.wait(await runtime.start(approve_purchase, input=Purchase(999)))
    assert state.result() == "Auto-approved"
    assert world.calls() == [("place_order", "computer")]


async def test_a_purchase_is_placed_when_it_is_approved(open_runtime: OpenRuntime) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(approve_purchase, input=Purchase(1000))
        await reached(
            runtime, instance_id, lambda state: state.custom_status == "waiting for approval"
        )
        assert world.calls() == [("ask_for_approval", "computer")]
        await runtime.raise_event(instance_id, "approval", {"approver": "Jane Doe"})
        state = await runtime.wait(instance_id)
    assert state.result() == "Approved by 'Jane Doe'"
    assert world.calls()[1:] == [("place_order", "computer")]


async def test_a_purchase_that_nobody_approves_for_a_day_is_cancelled(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app) as kit:
        started = kit.clock.now()
        instance_id = await kit.runtime.start(approve_purchase, input=Purchase(2000))
        state = await kit.wait(instance_id)
        assert kit.clock.now() - started == timedelta(hours=24) // timedelta(microseconds=1)
    assert state.result() == "Cancelled"
    assert world.calls() == [("ask_for_approval", "computer")]


async def test_a_step_that_keeps_failing_undoes_the_step_before(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app) as kit:
        started = kit.clock.now()
        state = await kit.wait(await kit.runtime.start(compensate, input=1))
        assert kit.clock.now() - started == 4_000_000
    assert state.result() == 1
    assert state.custom_status == "compensated minus_one with plus_one"
    assert world.calls() == [
        ("minus_one", "1"),
        ("divide_hundred", "0"),
        ("divide_hundred", "0"),
        ("divide_hundred", "0"),
        ("plus_one", "0"),
    ]


async def test_nothing_is_undone_where_nothing_fails(open_runtime: OpenRuntime) -> None:
    async with open_runtime(app) as runtime:
        state = await runtime.wait(await runtime.start(compensate, input=5))
    assert state.result() == 25
    assert not state.custom_status
    assert world.calls() == [("minus_one", "5"), ("divide_hundred", "4")]


async def test_results_of_children_come_in_order(open_runtime: OpenRuntime) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(parent, input=["a", "b"], instance_id="family")
        state = await runtime.wait(instance_id)
        children = [await runtime.get("family:a"), await runtime.get("family:b")]
    assert state.result() == ["child of a", "child of b"]
    assert [child.status for child in children] == [WorkflowStatus.COMPLETED] * 2
    assert [child.parent_instance_id for child in children] == ["family"] * 2


async def test_a_failed_child_is_started_again(workflow_kit: OpenWorkflowKit) -> None:
    world.put("unready", ["b"])
    async with workflow_kit(app) as kit:
        started = kit.clock.now()
        state = await kit.wait(await kit.runtime.start(parent, input=["a", "b"]))
        assert kit.clock.now() - started == 1_000_000
    assert state.result() == ["child of a", "child of b"]
    assert Counter(world.calls()) == {("unreliable", "a"): 1, ("unreliable", "b"): 2}


async def test_a_child_that_fails_for_good_fails_its_parent(workflow_kit: OpenWorkflowKit) -> None:
    def never_ready(ctx: ActivityContext, name: str) -> str:
        raise ConnectionError(f"{name} is never ready")

    async with workflow_kit(app, activities={"unreliable": never_ready}) as kit:
        state = await kit.wait(await kit.runtime.start(parent, input=["a"], instance_id="family"))
        child = await kit.runtime.get("family:a")
    assert state.status is WorkflowStatus.FAILED
    assert child.status is WorkflowStatus.FAILED
    assert state.failure is not None
    assert "a is never ready" in repr(state.failure)


async def _start_waiting_family(runtime: Runtime) -> None:
    await runtime.start("waiting_parent", input=["a", "b"], instance_id="family")
    for child_id in ("family:a", "family:b"):
        await reached(runtime, child_id, lambda state: state.custom_status == "waiting")


@pytest.mark.parametrize("recursive", [True, False])
async def test_a_termination_ends_the_children_unless_told_otherwise(
    open_runtime: OpenRuntime, recursive: bool
) -> None:
    from flowyard import App, WorkflowContext, when_all

    waiting = App()

    @waiting.workflow
    async def waiting_child(ctx: WorkflowContext, name: str) -> str:
        ctx.set_custom_status("waiting")
        await ctx.wait_for_external_event("go on")
        return name

    @waiting.workflow
    async def waiting_parent(ctx: WorkflowContext, names: list[str]) -> list[str]:
        return await when_all(
            [
                ctx.call_child_workflow(
                    waiting_child, input=name, instance_id=f"{ctx.instance_id}:{name}"
                )
                for name in names
            ]
        )

    async with open_runtime(waiting) as runtime:
        await _start_waiting_family(runtime)
        assert await runtime.terminate("family", recursive=recursive)
        family = await runtime.wait("family")
        assert family.status is WorkflowStatus.TERMINATED
        if not recursive:
            for child_id in ("family:a", "family:b"):
                await runtime.raise_event(child_id, "go on")
        states = [await runtime.wait("family:a"), await runtime.wait("family:b")]
        family = await runtime.get("family")
    expected = WorkflowStatus.TERMINATED if recursive else WorkflowStatus.COMPLETED
    assert [state.status for state in states] == [expected] * 2
    assert family.status is WorkflowStatus.TERMINATED
