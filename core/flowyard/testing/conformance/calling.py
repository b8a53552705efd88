"""Activities: chained, side by side, in threads; their failures; the losers of a race."""

from __future__ import annotations

import pytest

from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import Subject


class Calling:
    """`call_activity` brings the recorded result; the first completion wins."""

    @pytest.mark.parametrize(("workflow", "expected"), [("chain", [6, 12, 24]), ("yielding", 12)])
    async def test_results_are_chained(
        self, subject: Subject, workflow: str, expected: object
    ) -> None:
        assert await subject.result(workflow, 3) == expected

    async def test_results_of_a_fan_out_come_in_the_order_of_the_calls(
        self, subject: Subject
    ) -> None:
        assert await subject.result("fan_out", 50) == [2 * number for number in range(50)]

    async def test_a_fan_out_of_nothing_is_empty(self, subject: Subject) -> None:
        assert await subject.result("fan_out", 0) == []

    async def test_coroutines_of_the_workflow_run_side_by_side(self, subject: Subject) -> None:
        assert await subject.result("strands", 10) == [4 * number for number in range(10)]

    async def test_an_activity_knows_its_call(self, subject: Subject) -> None:
        instance_id = await subject.start("call_facts")
        first, second, is_in_a_thread = (await subject.finish(instance_id)).result(list[object])
        assert isinstance(first, list)
        assert isinstance(second, list)
        assert first[0] == second[0] == instance_id
        assert first[1] != second[1]
        assert first[2] != second[2]
        assert is_in_a_thread is True

    async def test_each_activity_of_an_undisturbed_instance_runs_once(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start_at_gate("gated")
        subject.probe.open_gate(instance_id, "gate")
        await subject.finish(instance_id)
        assert subject.probe.calls(instance_id, "gate") == 1
        assert subject.probe.records(instance_id) == ["after"]

    async def test_a_failure_tells_type_message_stack_and_cause(self, subject: Subject) -> None:
        assert await subject.result("details", "no stock: ü") == {
            "type": "BrokenStep",
            "message": "no stock: ü",
            "has_stack": True,
            "cause": "KeyError",
        }

    async def test_a_workflow_goes_on_after_a_failure_it_catches(self, subject: Subject) -> None:
        assert await subject.result("partly_broken") == ["caught", "one failed", "goes on"]

    async def test_the_late_result_of_a_loser_is_dropped(self, subject: Subject) -> None:
        instance_id = await subject.start_at_gate("race", "slow")
        await subject.probe.reached(instance_id, "second")
        subject.probe.open_gate(instance_id, "slow")
        await subject.let_others_pass()
        subject.probe.open_gate(instance_id, "second")
        assert (await subject.finish(instance_id)).result() == [True, "fast", "second"]

    async def test_an_instance_completes_while_a_loser_still_runs(self, subject: Subject) -> None:
        instance_id = await subject.start_at_gate("race", "slow")
        subject.probe.open_gate(instance_id, "second")
        before = await subject.finish(instance_id)
        assert before.status is WorkflowStatus.COMPLETED
        subject.probe.open_gate(instance_id, "slow")
        await subject.let_others_pass()
        assert await subject.runtime.get(instance_id) == before
