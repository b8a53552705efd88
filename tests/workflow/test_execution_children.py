"""Children: instances of their own, whose end their parent learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from pydantic import BaseModel

from flowyard import App, FailureDetails, TaskFailedError, WorkflowContext, WorkflowStatus
from flowyard.backend.executor import Turn
from flowyard.backend.history import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    Parent,
    TurnStarted,
)
from flowyard.backend.lineage import result_for_parent
from flowyard.identifier import child_instance_id
from flowyard.models import check_instance_id
from flowyard.workflow.execution import Execution

if TYPE_CHECKING:
    from flowyard.testing import OpenWorkflowKit
    from workflow.conftest import Rehearse


class Box(BaseModel):
    size: int


def packing() -> App:
    app = App()

    @app.workflow
    async def pack(ctx: WorkflowContext, box: Box) -> Box:
        if box.size > 10:
            raise ValueError("no such box")
        return Box(size=box.size + 1)

    @app.workflow
    async def order(ctx: WorkflowContext, size: int) -> str:
        try:
            box = await ctx.call_child_workflow(pack, input=Box(size=size))
        except TaskFailedError as error:
            return f"{error} / {error.details.message}"
        return f"{type(box).__name__} of {box.size}"

    return app


def test_a_child_has_an_id_made_from_its_parents_unless_one_is_given(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def order(ctx: WorkflowContext) -> None:
        ctx.call_child_workflow("pack")
        ctx.call_child_workflow("pack", instance_id="box-1", input={"size": 1})
        await ctx.call_activity("step")

    rehearsal = rehearse(app)
    assert rehearsal.start("order")[:2] == [
        ChildCreated(1, "pack", child_instance_id("order-7", "execution-1", 1), None),
        ChildCreated(2, "pack", "box-1", '{"size":1}'),
    ]


def test_an_id_made_for_a_child_names_parent_execution_and_action() -> None:
    made = {
        child_instance_id(parent, execution, action)
        for parent in ("order-7", "order-8")
        for execution in ("execution-1", "execution-2")
        for action in (1, 2)
    }
    assert len(made) == 8
    assert all(child_id.startswith(("order-7:", "order-8:")) for child_id in made)


def test_ids_made_for_children_of_children_stay_within_what_an_id_may_have() -> None:
    ids = ["a" * 250]
    for generation in range(40):
        ids.append(check_instance_id(child_instance_id(ids[-1], f"e{generation}", 1)))
    assert len(set(ids)) == 41


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_host_that_repeats_turns_finds_the_ids_again_that_it_has_recorded(
    is_recorded: bool,
) -> None:
    app = App()

    @app.workflow
    async def order(ctx: WorkflowContext) -> None:
        await ctx.call_child_workflow("pack")

    started: list[HistoryEvent] = [TurnStarted(0), ExecutionStarted("order", None, "e")]
    turn = Turn("order-7", "e", (), started, replaying=True, patched=lambda _: is_recorded)
    (created,) = Execution("order-7", app.registry).run(turn).actions
    new = child_instance_id("order-7", "e", 1)
    assert created == ChildCreated(1, "pack", new if is_recorded else "order-7:0001", None)


def test_a_history_from_before_the_execution_was_in_the_id_goes_on(rehearse: Rehearse) -> None:
    rehearsal = rehearse(packing())
    (created,) = rehearsal.start("order", 3)
    assert isinstance(created, ChildCreated)
    history = rehearsal.journal.history
    history[history.index(created)] = msgspec.structs.replace(created, instance_id="order-7:0001")
    restarted = rehearsal.with_code(packing())
    restarted.turn(ChildCompleted(1, '{"size":4}'))
    assert restarted.output == '"Box of 4"'


def test_the_result_for_parent_a_child_has_the_type_that_it_returns(rehearse: Rehearse) -> None:
    rehearsal = rehearse(packing())
    rehearsal.start("order", 3)
    rehearsal.turn(ChildCompleted(1, '{"size":4}'))
    assert rehearsal.output == '"Box of 4"'


def test_the_failure_of_a_child_can_be_caught_with_its_reason(rehearse: Rehearse) -> None:
    rehearsal = rehearse(packing())
    rehearsal.start("order", 3)
    rehearsal.turn(ChildFailed(1, FailureDetails("ValueError", "no such box")))
    assert rehearsal.output == (
        "\"child workflow 'pack' failed: ValueError: no such box / no such box\""
    )


def test_a_parent_learns_how_its_child_has_ended() -> None:
    link = Parent("order-1", "e", "order", 1)
    failure = FailureDetails("ValueError", "no such box")
    done = ExecutionCompleted(WorkflowStatus.COMPLETED, "1")
    failed = ExecutionCompleted(WorkflowStatus.FAILED, failure=failure)
    terminated = ExecutionCompleted(WorkflowStatus.TERMINATED, '"stop"')
    assert result_for_parent(link, "box-1", done) == ChildCompleted(1, "1")
    assert result_for_parent(link, "box-1", failed) == ChildFailed(1, failure)
    answer = result_for_parent(link, "box-1", terminated)
    assert isinstance(answer, ChildFailed)
    assert answer.failure.error_type == "WorkflowTerminated"
    assert "'box-1' was terminated" in answer.failure.message


async def test_parent_and_child_run_on_the_engine(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(packing()) as kit:
        fine = await kit.wait(await kit.runtime.start("order", input=3, instance_id="fine"))
        bad = await kit.wait(await kit.runtime.start("order", input=11, instance_id="bad"))
        (called,) = [
            event for event in await kit.runtime.history("bad") if isinstance(event, ChildCreated)
        ]
        child = await kit.runtime.get(called.instance_id)
    assert fine.result(str) == "Box of 4"
    assert bad.result(str) == (
        "child workflow 'pack' failed: ValueError: no such box / no such box"
    )
    assert child.status is WorkflowStatus.FAILED
    assert child.parent_instance_id == "bad"
