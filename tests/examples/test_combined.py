"""The combined example, scenario C1 in its three outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from combined import AWAITING_SHIPMENT, Order, OrderStatus, app, fulfil, world
from demo import reached
from flowyard import WorkflowState, WorkflowStatus

if TYPE_CHECKING:
    from examples.conftest import OpenRuntime, StartProgram
    from flowyard.testing import OpenWorkflowKit

ORDER = Order("RBD_001", 2, 30, "Belgium")
UNTIL_SHIPMENT = ["process_payment", "update_inventory", "publish_shipment"]


def activities(state: WorkflowState) -> list[str]:
    """The activities that an instance has run, in order."""
    return [activity for activity, _ in world.calls(state.instance_id)]


@pytest.mark.parametrize(
    ("is_success", "message", "takings", "last"),
    [
        (True, "was processed.", 30, []),
        (False, "could not be shipped; the customer was reimbursed.", 0, ["reimburse"]),
    ],
)
async def test_the_answer_of_the_shipping_company_decides(
    open_runtime: OpenRuntime, is_success: bool, message: str, takings: int, last: list[str]
) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(fulfil, input=ORDER)
        await reached(runtime, instance_id, lambda state: state.custom_status == AWAITING_SHIPMENT)
        await runtime.raise_event(instance_id, "shipment-processed", {"is_success": is_success})
        state = await runtime.wait(instance_id)
    assert state.status is WorkflowStatus.COMPLETED
    assert state.result(OrderStatus) == OrderStatus(is_success, f"Order {instance_id} {message}")
    assert sorted(activities(state)[:2]) == ["check_destination", "check_inventory"]
    assert activities(state)[2:] == UNTIL_SHIPMENT + last
    assert world.get("takings") == takings
    assert world.get("stock")["RBD_001"] == 48


async def test_five_minutes_without_an_answer_reimburse_the_customer(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app) as kit:
        started = kit.clock.now()
        instance_id = await kit.runtime.start(fulfil, input=ORDER)
        state = await kit.wait(instance_id)
        assert kit.clock.now() - started == 300_000_000
    message = f"Order {instance_id} was not shipped in time; the customer was reimbursed."
    assert state.result(OrderStatus) == OrderStatus(is_success=False, message=message)
    assert activities(state)[2:] == [*UNTIL_SHIPMENT, "reimburse"]
    assert world.get("takings") == 0


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (Order("RBD_001", 51, 765, "Belgium"), "RBD_001 is out of stock"),
        (Order("RBD_001", 2, 30, "Atlantis"), "Atlantis is not served"),
    ],
)
async def test_an_order_that_cannot_be_fulfilled_is_refused_before_it_is_paid(
    open_runtime: OpenRuntime, order: Order, reason: str
) -> None:
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(fulfil, input=order)
        state = await runtime.wait(instance_id)
    message = f"Order {instance_id} was refused: {reason}."
    assert state.result(OrderStatus) == OrderStatus(is_success=False, message=message)
    assert sorted(activities(state)) == ["check_destination", "check_inventory"]


def test_a_shipment_whose_program_is_killed_is_paid_once(start_program: StartProgram) -> None:
    first = start_program("combined.py", "--pace", "0.5")
    first.read_until("  publish_shipment:")
    first.kill()
    output = start_program("combined.py", "--pace", "0.1").finish()
    assert "Resuming shipment-1: the payment was taken before the interruption." in output
    assert "shipment-1 is COMPLETED: Order shipment-1 was processed." in output
    recorded = [activity for activity, _ in world.calls() if activity != "publish_shipment"]
    assert sorted(recorded[:2]) == ["check_destination", "check_inventory"]
    assert recorded[2:] == ["process_payment", "update_inventory"]
    assert world.get("takings") == 30
