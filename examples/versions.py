"""Change a workflow's code while instances of it are under way.

    $ python examples/versions.py
    The first program starts ann.
      create_account: ann
    The second program, which sends text messages, starts bob and confirms both.
      create_account: bob
      send_email: ann
      send_text: bob
    ann got an email, bob got a text.
    The first program starts cem.
      create_account: cem
    A third program has renamed the activity, and confirms cem: STALLED.
      …
    The second program is back.
      send_email: cem
    cem got an email.
    The fourth program has a version of its own for new instances: dan got a letter.

The four programs are functions here that build an app each.
"""

from __future__ import annotations

import argparse

from demo import launch, options, reached
from flowyard import ActivityContext, App, Runtime, WorkflowContext, WorkflowState, WorkflowStatus
from outside_world import OutsideWorld, say

world = OutsideWorld("versions-world.db")


def create_account(ctx: ActivityContext, customer: str) -> None:
    """Make an account for a customer."""
    world.step(ctx, "create_account", customer)


def send_email(ctx: ActivityContext, customer: str) -> str:
    """Greet by email."""
    world.step(ctx, "send_email", customer)
    return "an email"


def send_text(ctx: ActivityContext, customer: str) -> str:
    """Greet by text message."""
    world.step(ctx, "send_text", customer)
    return "a text"


async def sign_up(ctx: WorkflowContext, customer: str) -> str:
    """The workflow as it was first written."""
    await ctx.call_activity(create_account, input=customer)
    ctx.set_custom_status("waiting")
    await ctx.wait_for_external_event("confirmed")
    return await ctx.call_activity(send_email, input=customer)


async def sign_up_with_text(ctx: WorkflowContext, customer: str) -> str:
    """The workflow with a patch: instances that began before it go on as they were."""
    by_text = ctx.is_patched("text messages")
    await ctx.call_activity(create_account, input=customer)
    ctx.set_custom_status("waiting")
    await ctx.wait_for_external_event("confirmed")
    return await ctx.call_activity(send_text if by_text else send_email, input=customer)


async def sign_up_renamed(ctx: WorkflowContext, customer: str) -> str:
    """The workflow with a mistake: what history calls `create_account` has another name."""
    await ctx.call_activity("open_account", input=customer)
    await ctx.wait_for_external_event("confirmed")
    return await ctx.call_activity(send_text, input=customer)


async def sign_up_by_letter(ctx: WorkflowContext, customer: str) -> str:
    """A later version that shares no code with the one before."""
    return "a letter"


def first_program() -> App:
    """The app as it was first deployed."""
    app = App()
    app.activity(create_account)
    app.activity(send_email)
    app.workflow(name="sign_up")(sign_up)
    return app


def second_program() -> App:
    """The app with the patch."""
    app = App()
    app.activity(create_account)
    app.activity(send_email)
    app.activity(send_text)
    app.workflow(name="sign_up")(sign_up_with_text)
    return app


def third_program() -> App:
    """The app with the renamed activity."""
    app = App()
    app.activity(name="open_account")(create_account)
    app.activity(send_text)
    app.workflow(name="sign_up")(sign_up_renamed)
    return app


def fourth_program() -> App:
    """The app with two versions: instances keep the one that they began with."""
    app = second_program()
    app.versioned_workflow(name="greet", version_name="v1", is_latest=False)(sign_up_with_text)
    app.versioned_workflow(name="greet", version_name="v2", is_latest=True)(sign_up_by_letter)
    return app


def is_waiting(state: WorkflowState) -> bool:
    """True once an account exists and the confirmation is awaited."""
    return state.custom_status == "waiting"


async def run(arguments: argparse.Namespace) -> None:
    """Deploy one program after the other on the same component."""
    source = arguments.components
    async with Runtime.open(source, first_program()) as runtime:
        say("The first program starts ann.")
        ann = await runtime.start("sign_up", input="ann")
        await reached(runtime, ann, is_waiting)

    async with Runtime.open(source, second_program()) as runtime:
        say("The second program, which sends text messages, starts bob and confirms both.")
        bob = await runtime.start("sign_up", input="bob")
        await reached(runtime, bob, is_waiting)
        got = []
        for instance_id in (ann, bob):
            await runtime.raise_event(instance_id, "confirmed")
            got.append((await runtime.wait(instance_id)).result())
        say(f"ann got {got[0]}, bob got {got[1]}.")

    async with Runtime.open(source, first_program()) as runtime:
        say("The first program starts cem.")
        cem = await runtime.start("sign_up", input="cem")
        await reached(runtime, cem, is_waiting)

    async with Runtime.open(source, third_program()) as runtime:
        await runtime.raise_event(cem, "confirmed")
        state = await reached(runtime, cem, lambda state: state.status is WorkflowStatus.STALLED)
        say(f"A third program has renamed the activity, and confirms cem: {state.status}.")
        say(f"  {state.detail}")

    async with Runtime.open(source, second_program()) as runtime:
        say("The second program is back.")
        say(f"cem got {(await runtime.wait(cem)).result()}.")

    async with Runtime.open(source, fourth_program()) as runtime:
        dan = await runtime.start("greet", input="dan")
        say(
            "The fourth program has a version of its own for new instances: "
            f"dan got {(await runtime.wait(dan)).result()}."
        )


def main() -> None:
    """Run the example."""
    arguments = options("Change a workflow's code while it runs.", pace=0.2).parse_args()
    world.pace = arguments.pace
    launch(run(arguments))


if __name__ == "__main__":
    main()
