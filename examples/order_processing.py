"""Process an order: check the stock, ask for an approval, take the payment, update the stock.

    $ python examples/order_processing.py
    Started order-1.
      notify: order-1 was received: 10 cars for 150000.
      verify_inventory: 10 cars
      request_approval: 10 cars for 150000
    Nobody else is here to decide, so this demo approves the order itself.
      process_payment: 10 cars for 150000
      update_inventory: 10 cars
      notify: order-1 was completed.
    order-1 is COMPLETED with the result {"processed":true}; 90 cars are left.

Kill it half-way and run it again: it says where it goes on, and repeats no recorded step.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from demo import command, launch, options, reached, resume_or_start
from flowyard import ActivityContext, App, Runtime, TaskFailedError, WorkflowContext
from outside_world import OutsideWorld, say

AWAITING_APPROVAL = "the approval was requested"
FULL_STOCK = {"cars": 100}
PRICES = {"cars": 15_000}

app = App()
world = OutsideWorld("order_processing-world.db")


@dataclass(frozen=True)
class Order:
    """What a customer wants. Above `approval_over`, a manager has to approve it in time."""

    item: str
    quantity: int
    cost: int
    approval_over: int = 50_000
    approval_seconds: float = 30

    def __str__(self) -> str:
        return f"{self.quantity} {self.item} for {self.cost}"


@dataclass(frozen=True)
class Approval:
    """The data of the event `manager_approval`."""

    approval: bool


@dataclass(frozen=True)
class OrderResult:
    """What became of an order."""

    processed: bool


@app.activity
def notify(ctx: ActivityContext, message: str) -> None:
    """Tell the customer."""
    world.step(ctx, "notify", message)


@app.activity
def verify_inventory(ctx: ActivityContext, order: Order) -> bool:
    """Say whether enough is in stock."""
    world.step(ctx, "verify_inventory", f"{order.quantity} {order.item}")
    return bool(world.get("stock", FULL_STOCK).get(order.item, 0) >= order.quantity)


@app.activity
def request_approval(ctx: ActivityContext, order: Order) -> None:
    """Ask a manager, who answers with the event `manager_approval`."""
    world.step(ctx, "request_approval", str(order))


@app.activity
def process_payment(ctx: ActivityContext, order: Order) -> None:
    """Take the money."""
    world.step(ctx, "process_payment", str(order))
    world.change_once(ctx, "takings", 0, lambda takings: takings + order.cost)


@app.activity
def update_inventory(ctx: ActivityContext, order: Order) -> None:
    """Take the items out of the stock, which may have shrunk since it was verified."""
    world.step(ctx, "update_inventory", f"{order.quantity} {order.item}")

    def take(stock: dict[str, int]) -> dict[str, int]:
        left = stock.get(order.item, 0) - order.quantity
        if left < 0:
            raise ValueError(f"not enough {order.item} in stock")
        return {**stock, order.item: left}

    world.change_once(ctx, "stock", FULL_STOCK, take)


@app.workflow
async def process_order(ctx: WorkflowContext, order: Order) -> OrderResult:
    """Take an order from its receipt to its completion, or say why it is not processed."""

    def tell(message: str) -> Any:
        return ctx.call_activity(notify, input=message)

    name = ctx.instance_id
    await tell(f"{name} was received: {order}.")
    if not await ctx.call_activity(verify_inventory, input=order):
        await tell(f"{name} cannot be processed: not enough {order.item} in stock.")
        return OrderResult(processed=False)
    ctx.set_custom_status("the stock was verified")

    if order.cost > order.approval_over:
        await ctx.call_activity(request_approval, input=order)
        ctx.set_custom_status(AWAITING_APPROVAL)
        try:
            answer = await ctx.wait_for_external_event(
                "manager_approval",
                timeout=timedelta(seconds=order.approval_seconds),
                data_type=Approval,
            )
        except TimeoutError:
            await tell(f"{name} was cancelled: it was not approved in time.")
            return OrderResult(processed=False)
        if not answer.approval:
            await tell(f"{name} was rejected by the manager.")
            return OrderResult(processed=False)
        ctx.set_custom_status("the order was approved")

    await ctx.call_activity(process_payment, input=order)
    ctx.set_custom_status("the payment was taken")
    try:
        await ctx.call_activity(update_inventory, input=order)
    except TaskFailedError as error:
        await tell(f"{name} failed: {error.details.message}. You get a refund.")
        return OrderResult(processed=False)
    ctx.set_custom_status("the stock was updated")
    await tell(f"{name} was completed.")
    return OrderResult(processed=True)


async def run(arguments: argparse.Namespace) -> None:
    """Process the order that a killed run has left, or a new one."""
    price = PRICES.get(arguments.item, 100)
    cost = price * arguments.quantity if arguments.cost is None else arguments.cost
    order = Order(arguments.item, arguments.quantity, cost, approval_seconds=arguments.patience)
    async with Runtime.open(arguments.components, app) as runtime:
        instance_id = await resume_or_start(runtime, process_order, "order", order)
        if not arguments.no_answer:
            state = await reached(
                runtime, instance_id, lambda state: state.custom_status == AWAITING_APPROVAL
            )
            if not state.status.is_closed:
                decision = "rejects" if arguments.reject else "approves"
                say(f"Nobody else is here to decide, so this demo {decision} the order itself.")
                answer = Approval(approval=not arguments.reject)
                await runtime.raise_event(instance_id, "manager_approval", answer)
        state = await runtime.wait(instance_id)
    left = world.get("stock", FULL_STOCK).get(order.item, 0)
    what = state.failure.message if state.failure else f"the result {state.output}"
    say(f"{instance_id} is {state.status} with {what}; {left} {order.item} are left.")


def main() -> None:
    """Run the example."""
    parser = options("Process an order.")
    parser.add_argument("--item", default="cars", help="what to order (%(default)s)")
    parser.add_argument("--quantity", type=int, default=10, help="how many (%(default)s)")
    parser.add_argument("--cost", type=int, help="the price of the whole order (15000 for a car)")
    parser.add_argument("--reject", action="store_true", help="let the manager reject the order")
    parser.add_argument("--no-answer", action="store_true", help="let the manager not answer")
    parser.add_argument(
        "--patience", type=float, default=30, help="seconds to wait for an approval (%(default)s)"
    )
    arguments = parser.parse_args()
    world.pace = arguments.pace
    stock = world.get("stock", FULL_STOCK)
    if stock.get("cars", 0) < 10:
        world.put("stock", {**stock, **FULL_STOCK})
        say("The stock was low: it is back at 100 cars.")
    launch(run(arguments))
    example = "order_processing.py"
    say(
        f"""
Try next:
  {command(example)}                    # kill it half-way (kill -9, Ctrl-C), then run it again
  {command(example, "--cost 5000")}        # cheap enough to need no approval
  {command(example, "--reject")}           # the manager rejects the order
  {command(example, "--quantity 1000")}    # more cars than are in stock
  {command("hr_onboarding.py")}                       # child workflows and reminders
  {command("image_processing.py")}                    # many activities at once
  {"make help".ljust(len(command(example)) + 20)}# everything else in this checkout"""
    )


if __name__ == "__main__":
    main()
