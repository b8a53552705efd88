"""Children: instances of their own, whose end their parent learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from flowyard import App, FailureDetails, TaskFailedError, WorkflowContext, WorkflowStatus
from flowyard.history import ChildCompleted, ChildCreated, ChildFailed, ExecutionCompleted
from flowyard.journal import result_of

if TYPE_CHECKING:
    from core.conftest import Rehearse
    from flowyard.testing import OpenWorkflowKit


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
        ChildCreated(1, "pack", "order-7:0001", None),
        ChildCreated(2, "pack", "box-1", '{"size":1}'),
    ]


def test_the_result_of_a_child_has_the_type_that_it_returns(rehearse: Rehearse) -> None:
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
    child = ChildCreated(1, "pack", "box-1", None)
    failure = FailureDetails("ValueError", "no such box")
    done = ExecutionCompleted(WorkflowStatus.COMPLETED, "1")
    failed = ExecutionCompleted(WorkflowStatus.FAILED, failure=failure)
    terminated = ExecutionCompleted(WorkflowStatus.TERMINATED, '"stop"')
    assert result_of(child, done) == ChildCompleted(1, "1")
    assert result_of(child, failed) == ChildFailed(1, failure)
    answer = result_of(child, terminated)
    assert isinstance(answer, ChildFailed)
    assert answer.failure.error_type == "WorkflowTerminated"
    assert "'box-1' was terminated" in answer.failure.message


async def test_parent_and_child_run_on_the_engine(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(packing()) as kit:
        fine = await kit.wait(await kit.runtime.start("order", input=3, instance_id="fine"))
        bad = await kit.wait(await kit.runtime.start("order", input=11, instance_id="bad"))
        child = await kit.runtime.get("bad:0001")
    assert fine.result(str) == "Box of 4"
    assert bad.result(str) == (
        "child workflow 'pack' failed: ValueError: no such box / no such box"
    )
    assert child.status is WorkflowStatus.FAILED
    assert child.parent_instance_id == "bad"
