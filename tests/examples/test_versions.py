"""The versions example, scenario V1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo import reached
from flowyard import App, WorkflowStatus
from versions import (
    first_program,
    fourth_program,
    is_waiting,
    second_program,
    sign_up_with_text,
    third_program,
    world,
)

if TYPE_CHECKING:
    from examples.conftest import OpenRuntime


async def test_a_run_begun_before_the_patch_emails_and_a_later_one_texts(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(first_program()) as runtime:
        await runtime.start("sign_up", input="ann", instance_id="ann")
        await reached(runtime, "ann", is_waiting)
    async with open_runtime(second_program()) as runtime:
        await runtime.start("sign_up", input="bob", instance_id="bob")
        for customer in ("ann", "bob"):
            await runtime.raise_event(customer, "confirmed")
        states = [await runtime.wait(customer) for customer in ("ann", "bob")]
    assert [state.result() for state in states] == ["an email", "a text"]
    assert world.calls("ann") == [("create_account", "ann"), ("send_email", "ann")]
    assert world.calls("bob") == [("create_account", "bob"), ("send_text", "bob")]


async def test_a_patched_run_stays_patched_after_a_restart(open_runtime: OpenRuntime) -> None:
    async with open_runtime(second_program()) as runtime:
        await runtime.start("sign_up", input="bob", instance_id="bob")
        await reached(runtime, "bob", is_waiting)
    async with open_runtime(second_program()) as runtime:
        await runtime.raise_event("bob", "confirmed")
        assert (await runtime.wait("bob")).result() == "a text"


async def test_code_that_does_not_fit_stalls_a_run_until_fitting_code_is_back(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(first_program()) as runtime:
        await runtime.start("sign_up", input="cem", instance_id="cem")
        await reached(runtime, "cem", is_waiting)
    async with open_runtime(third_program()) as runtime:
        await runtime.raise_event("cem", "confirmed")
        state = await reached(runtime, "cem", lambda state: state.status is WorkflowStatus.STALLED)
        assert state.status is WorkflowStatus.STALLED
        # What history says beside what the code did.
        assert "'create_account'" in (state.detail or "")
        assert "'open_account'" in (state.detail or "")
    assert world.calls("cem") == [("create_account", "cem")]
    async with open_runtime(first_program()) as runtime:
        state = await runtime.wait("cem")
    assert state.result() == "an email"
    assert world.calls("cem") == [("create_account", "cem"), ("send_email", "cem")]


async def test_a_workflow_that_is_gone_stalls_its_runs_until_it_is_back(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(first_program()) as runtime:
        await runtime.start("sign_up", input="cem", instance_id="cem")
        await reached(runtime, "cem", is_waiting)
    renamed = App()
    renamed.workflow(name="register")(sign_up_with_text)
    async with open_runtime(renamed) as runtime:
        await runtime.raise_event("cem", "confirmed")
        state = await reached(runtime, "cem", lambda state: state.status is WorkflowStatus.STALLED)
        assert "'sign_up'" in (state.detail or "")
    async with open_runtime(first_program()) as runtime:
        assert (await runtime.wait("cem")).result() == "an email"


async def test_an_instance_keeps_the_version_that_it_began_with(
    open_runtime: OpenRuntime,
) -> None:
    before = second_program()
    before.versioned_workflow(name="greet", version_name="v1", is_latest=True)(sign_up_with_text)
    async with open_runtime(before) as runtime:
        await runtime.start("greet", input="eve", instance_id="eve")
        await reached(runtime, "eve", is_waiting)
    async with open_runtime(fourth_program()) as runtime:
        await runtime.start("greet", input="dan", instance_id="dan")
        await runtime.raise_event("eve", "confirmed")
        states = [await runtime.wait(customer) for customer in ("dan", "eve")]
    assert [state.result() for state in states] == ["a letter", "a text"]
