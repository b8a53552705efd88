"""Several patterns in one workflow: fan-out, chaining, an event with a time limit, compensation.

    $ python examples/combined.py
    Started shipment-1.
      process_payment: 2 RBD_001 for 30
      update_inventory: 2 RBD_001
      publish_shipment: order shipment-1 to Belgium
    The demo plays the shipping company: success.
    shipment-1 is COMPLETED: Order shipment-1 was processed.
    $ python examples/combined.py --outcome failure
    Started shipment-2.
      publish_shipment: order shipment-2 to Belgium
    The demo plays the shipping company: failure.
      reimburse: 30
    shipment-2 is COMPLETED: Order shipment-2 could not be shipped; the customer was reimbursed.

With --outcome timeout --patience 3, the shipping company stays silent.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import timedelta

from demo import launch, options, reached, resume_or_start
from flowyard import ActivityContext, App, Runtime, TaskFailedError, WorkflowContext, when_all
from outside_world import OutsideWorld, say

SHIPPED_TO = ("Belgium", "Brazil", "Kenya")
AWAITING_SHIPMENT = "the shipment was published"
FULL_STOCK = {"RBD_001": 50, "RBD_002": 50}

app = App()
world = OutsideWorld("combined-world.db")


@dataclass(frozen=True)
class Order:
    """What a customer wants, and where it goes."""

    item: str
    quantity: int
    total: int
    country: str
    shipment_seconds: float = 300


@dataclass(frozen=True)
class ShipmentStatus:
    """The data of the event `shipment-processed`."""

    is_success: bool


@dataclass(frozen=True)
class OrderStatus:
    """What became of an order."""

    is_success: bool
    message: str


@app.activity
def check_inventory(ctx: ActivityContext, order: Order) -> bool:
    """Say whether enough is in stock."""
    world.step(ctx, "check_inventory", order.item)
    return bool(world.get("stock", FULL_STOCK).get(order.item, 0) >= order.quantity)


@app.activity
def check_destination(ctx: ActivityContext, country: str) -> bool:
    """Say whether the country can be reached."""
    world.step(ctx, "check_destination", country)
    return country in SHIPPED_TO


@app.activity
def process_payment(ctx: ActivityContext, order: Order) -> None:
    """Take the money."""
    world.step(ctx, "process_payment", f"{order.quantity} {order.item} for {order.total}")
    world.change_once(ctx, "takings", 0, lambda takings: takings + order.total)


@app.activity
def update_inventory(ctx: ActivityContext, order: Order) -> None:
    """Take the items out of the stock."""
    world.step(ctx, "update_inventory", f"{order.quantity} {order.item}")

    def take(stock: dict[str, int]) -> dict[str, int]:
        left = stock.get(order.item, 0) - order.quantity
        if left < 0:
            raise ValueError(f"not enough {order.item} in stock")
        return {**stock, order.item: left}

    world.change_once(ctx, "stock", FULL_STOCK, take)


@app.activity
def publish_shipment(ctx: ActivityContext, country: str) -> None:
    """Tell the shipping company, which answers with the event `shipment-processed`."""
    world.step(ctx, "publish_shipment", f"order {ctx.workflow_id} to {country}")


@app.activity
def reimburse(ctx: ActivityContext, total: int) -> None:
    """Give the money back."""
    world.step(ctx, "reimburse", str(total))
    world.change_once(ctx, "takings", 0, lambda takings: takings - total)


async def ship(ctx: WorkflowContext, order: Order) -> str | None:
    """Have the order shipped and return what went wrong, if anything did."""
    await ctx.call_activity(publish_shipment, input=order.country)
    ctx.set_custom_status(AWAITING_SHIPMENT)
    try:
        shipment = await ctx.wait_for_external_event(
            "shipment-processed",
            timeout=timedelta(seconds=order.shipment_seconds),
            data_type=ShipmentStatus,
        )
    except TimeoutError:
        return "was not shipped in time"
    return None if shipment.is_success else "could not be shipped"


@app.workflow
async def fulfil(ctx: WorkflowContext, order: Order) -> OrderStatus:
    """Check, charge and ship an order; reimburse what is not shipped."""
    in_stock, reachable = await when_all(
        [
            ctx.call_activity(check_inventory, input=order),
            ctx.call_activity(check_destination, input=order.country),
        ]
    )
    name = f"Order {ctx.instance_id}"
    if not in_stock or not reachable:
        reason = f"{order.country} is not served" if in_stock else f"{order.item} is out of stock"
        return OrderStatus(is_success=False, message=f"{name} was refused: {reason}.")
    ctx.set_custom_status("stock and destination were checked")
    await ctx.call_activity(process_payment, input=order)
    ctx.set_custom_status("the payment was taken")
    fault: str | None
    try:
        await ctx.call_activity(update_inventory, input=order)
    except TaskFailedError as error:
        fault = f"failed: {error.details.message}"
    else:
        fault = await ship(ctx, order)
    if fault is None:
        return OrderStatus(is_success=True, message=f"{name} was processed.")
    await ctx.call_activity(reimburse, input=order.total)
    return OrderStatus(is_success=False, message=f"{name} {fault}; the customer was reimbursed.")


async def run(arguments: argparse.Namespace) -> None:
    """Fulfil an order, playing the shipping company."""
    order = Order("RBD_001", 2, 30, arguments.country, arguments.patience)
    async with Runtime.open(arguments.components, app) as runtime:
        instance_id = await resume_or_start(runtime, fulfil, "shipment", order)
        if arguments.outcome != "timeout":
            state = await reached(
                runtime, instance_id, lambda state: state.custom_status == AWAITING_SHIPMENT
            )
            if not state.status.is_closed:
                say(f"The demo plays the shipping company: {arguments.outcome}.")
                await runtime.raise_event(
                    instance_id,
                    "shipment-processed",
                    ShipmentStatus(arguments.outcome == "success"),
                )
        state = await runtime.wait(instance_id)
    say(f"{instance_id} is {state.status}: {state.result(OrderStatus).message}")


def main() -> None:
    """Run the example."""
    parser = options("Fulfil an order that has to be shipped.")
    parser.add_argument("--country", default="Belgium", help="the country to ship to (%(default)s)")
    parser.add_argument("--outcome", choices=("success", "failure", "timeout"), default="success")
    parser.add_argument(
        "--patience", type=float, default=300, help="seconds to wait for the shipment (%(default)s)"
    )
    arguments = parser.parse_args()
    world.pace = arguments.pace
    if world.get("stock", FULL_STOCK).get("RBD_001", 0) < 2:
        world.put("stock", FULL_STOCK)
    launch(run(arguments))


if __name__ == "__main__":
    main()
