"""The order example, scenarios O1 to O6."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from demo import reached
from flowyard import App, Runtime, WorkflowContext, WorkflowState, WorkflowStatus
from order_processing import (
    AWAITING_APPROVAL,
    Approval,
    Order,
    OrderResult,
    app,
    notify,
    process_order,
    process_payment,
    request_approval,
    update_inventory,
    verify_inventory,
    world,
)

if TYPE_CHECKING:
    from examples.conftest import OpenRuntime, StartProgram
    from flowyard.testing import OpenWorkflowKit

TEN_CARS = Order("cars", 10, 150_000)
WITH_APPROVAL = [
    "notify",
    "verify_inventory",
    "request_approval",
    "process_payment",
    "update_inventory",
    "notify",
]


def activities(state: WorkflowState) -> list[str]:
    """The activities that an instance has run, in order."""
    return [activity for activity, _ in world.calls(state.instance_id)]


def messages(state: WorkflowState) -> list[str]:
    """What the customer was told."""
    return [detail for activity, detail in world.calls(state.instance_id) if activity == "notify"]


async def await_approval(runtime: Runtime, order: Order) -> str:
    """Start an order and return its ID once the manager has been asked."""
    instance_id = await runtime.start(process_order, input=order)
    state = await reached(
        runtime, instance_id, lambda state: state.custom_status == AWAITING_APPROVAL
    )
    assert not state.status.is_closed
    return instance_id


async def test_an_expensive_order_is_processed_after_its_approval(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await await_approval(runtime, TEN_CARS)
        await runtime.raise_event(instance_id, "manager_approval", {"approval": True})
        state = await runtime.wait(instance_id)
    assert state.status is WorkflowStatus.COMPLETED
    assert json.loads(state.output or "") == {"processed": True}
    assert activities(state) == WITH_APPROVAL
    assert messages(state)[-1] == f"{instance_id} was completed."
    assert world.get("stock") == {"cars": 90}
    assert world.get("takings") == 150_000


async def test_ten_cars_for_a_low_price_run_four_activities_and_need_no_approval(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(process_order, input=Order("cars", 10, 15_000))
        state = await runtime.wait(instance_id)
    assert state.result(OrderResult) == OrderResult(processed=True)
    assert set(activities(state)) == {
        "notify",
        "verify_inventory",
        "process_payment",
        "update_inventory",
    }
    assert world.get("stock") == {"cars": 90}


@pytest.mark.parametrize(("cost", "asks"), [(5_000, False), (5_001, True)])
async def test_only_a_cost_above_the_threshold_needs_an_approval(
    open_runtime: OpenRuntime, cost: int, asks: bool
) -> None:
    world.put("stock", {"cars": 10})
    async with open_runtime(app) as runtime:
        order = Order("cars", 1, cost, approval_over=5_000)
        instance_id = await runtime.start(process_order, input=order)
        await runtime.raise_event(instance_id, "manager_approval", Approval(approval=True))
        state = await runtime.wait(instance_id)
    assert json.loads(state.output or "") == {"processed": True}
    assert ("request_approval" in activities(state)) is asks
    assert world.get("stock") == {"cars": 9}


async def test_an_order_beyond_the_stock_is_refused_without_a_payment(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(process_order, input=Order("cars", 101, 1_515_000))
        state = await runtime.wait(instance_id)
    assert json.loads(state.output or "") == {"processed": False}
    assert activities(state) == ["notify", "verify_inventory", "notify"]
    assert messages(state)[-1] == f"{instance_id} cannot be processed: not enough cars in stock."
    assert world.get("takings", 0) == 0


@pytest.mark.parametrize("seconds", [30, 200])
async def test_an_order_that_is_not_approved_in_time_is_cancelled_without_a_payment(
    workflow_kit: OpenWorkflowKit, seconds: int
) -> None:
    async with workflow_kit(app) as kit:
        started = kit.clock.now()
        order = Order("cars", 10, 150_000, approval_seconds=seconds)
        instance_id = await kit.runtime.start(process_order, input=order)
        state = await kit.wait(instance_id)
        assert kit.clock.now() - started == seconds * 1_000_000
    assert json.loads(state.output or "") == {"processed": False}
    assert activities(state) == ["notify", "verify_inventory", "request_approval", "notify"]
    assert messages(state)[-1] == f"{instance_id} was cancelled: it was not approved in time."
    assert world.get("takings", 0) == 0


async def test_a_rejected_order_is_cancelled_with_a_message_of_its_own(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await await_approval(runtime, TEN_CARS)
        await runtime.raise_event(instance_id, "manager_approval", {"approval": False})
        state = await runtime.wait(instance_id)
    assert json.loads(state.output or "") == {"processed": False}
    assert messages(state)[-1] == f"{instance_id} was rejected by the manager."
    assert world.get("takings", 0) == 0


async def test_an_approval_that_comes_before_it_is_asked_for_counts(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(process_order, input=TEN_CARS)
        assert await runtime.raise_event(instance_id, "Manager_Approval", {"approval": True})
        state = await runtime.wait(instance_id)
    assert json.loads(state.output or "") == {"processed": True}
    assert activities(state) == WITH_APPROVAL


async def test_stock_that_is_gone_by_the_time_of_the_update_ends_in_a_refund(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await await_approval(runtime, TEN_CARS)
        world.put("stock", {"cars": 9})
        await runtime.raise_event(instance_id, "manager_approval", {"approval": True})
        state = await runtime.wait(instance_id)
    assert json.loads(state.output or "") == {"processed": False}
    assert activities(state) == WITH_APPROVAL
    assert (
        messages(state)[-1] == f"{instance_id} failed: not enough cars in stock. You get a refund."
    )
    assert world.get("stock") == {"cars": 9}


unguarded = App()
for activity in (notify, verify_inventory, request_approval, process_payment, update_inventory):
    unguarded.activity(activity)


@unguarded.workflow
async def process_unguarded(ctx: WorkflowContext, order: Order) -> OrderResult:
    """The order of the .NET sample: nothing catches a missing approval or a failed update."""
    await ctx.call_activity(notify, input="received")
    await ctx.call_activity(verify_inventory, input=order)
    await ctx.call_activity(request_approval, input=order)
    ctx.set_custom_status(AWAITING_APPROVAL)
    await ctx.wait_for_external_event(
        "manager_approval", timeout=timedelta(seconds=order.approval_seconds), data_type=Approval
    )
    await ctx.call_activity(process_payment, input=order)
    await ctx.call_activity(update_inventory, input=order)
    return OrderResult(processed=True)


async def test_an_uncaught_approval_timeout_fails_the_instance(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(unguarded) as kit:
        instance_id = await kit.runtime.start(process_unguarded, input=TEN_CARS)
        state = await kit.wait(instance_id)
    assert state.status is WorkflowStatus.FAILED
    assert state.failure is not None
    assert state.failure.error_type == "TimeoutError"
    assert "process_payment" not in activities(state)


async def test_an_uncaught_failure_of_the_update_fails_the_instance_and_says_why(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(unguarded) as kit:
        instance_id = await kit.runtime.start(process_unguarded, input=TEN_CARS)
        await kit.settle()
        world.put("stock", {"cars": 9})
        await kit.runtime.raise_event(instance_id, "manager_approval", {"approval": True})
        state = await kit.wait(instance_id)
    assert state.status is WorkflowStatus.FAILED
    assert state.failure is not None
    assert state.failure.error_type == "TaskFailedError"
    assert state.failure.cause is not None
    assert state.failure.cause.error_type == "ValueError"
    assert state.failure.cause.message == "not enough cars in stock"


@pytest.mark.parametrize(
    ("killed_at", "recorded", "status"),
    [
        ("  verify_inventory:", 1, "it was started"),
        ("  process_payment:", 3, "the order was approved"),
        ("  update_inventory:", 4, "the payment was taken"),
    ],
)
def test_an_order_whose_program_is_killed_goes_on_where_it_was(
    start_program: StartProgram, killed_at: str, recorded: int, status: str
) -> None:
    first = start_program("order_processing.py", "--pace", "0.5")
    first.read_until(killed_at)
    first.kill()
    output = start_program("order_processing.py", "--pace", "0.3").finish()
    assert f"Resuming order-1: {status} before the interruption." in output
    expected = 'order-1 is COMPLETED with the result {"processed":true}; 90 cars are left.'
    assert expected in output
    calls = world.calls("order-1")
    times = Counter(calls)
    assert all(times[call] == 1 for call in calls[:recorded])
    assert list(dict.fromkeys(activity for activity, _ in calls)) == WITH_APPROVAL[:-1]
    assert world.get("takings") == 150_000


def test_an_interrupted_program_says_how_to_go_on_and_does(start_program: StartProgram) -> None:
    first = start_program("order_processing.py", "--pace", "0.5")
    first.read_until("  request_approval:")
    first.interrupt()
    assert first.finish(code=130)[-1] == "Interrupted. The same command goes on from here."
    output = start_program("order_processing.py", "--pace", "0.1").finish()
    # It goes on from the moment it is open, and may have come further than it was interrupted at.
    reached = ("the stock was verified", "the approval was requested")
    resumptions = {f"Resuming order-1: {status} before the interruption." for status in reached}
    assert resumptions.intersection(output)
    assert [activity for activity, _ in world.calls()].count("verify_inventory") == 1


def test_the_run_after_a_completed_order_starts_the_next_and_says_what_to_try(
    start_program: StartProgram,
) -> None:
    start_program("order_processing.py", "--pace", "0").finish()
    output = start_program("order_processing.py", "--pace", "0", "--cost", "5000").finish()
    assert "Started order-2." in output
    assert not any("request_approval:" in line for line in output)
    assert 'order-2 is COMPLETED with the result {"processed":true}; 80 cars are left.' in output
    suggestions = output[output.index("Try next:") :]
    assert any("examples/order_processing.py --reject" in line for line in suggestions)


def test_a_silent_manager_lets_the_program_end_with_a_cancelled_order(
    start_program: StartProgram,
) -> None:
    program = start_program(
        "order_processing.py", "--pace", "0", "--no-answer", "--patience", "0.1"
    )
    output = program.finish()
    assert 'order-1 is COMPLETED with the result {"processed":false}; 100 cars are left.' in output
