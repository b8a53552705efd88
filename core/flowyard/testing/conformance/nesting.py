"""Children: instances of their own, whose ends their parents learn."""

from __future__ import annotations

from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import Subject


class Nesting:
    """`call_child_workflow` starts an instance with its own ID and brings its result."""

    async def test_a_child_brings_its_result(self, subject: Subject) -> None:
        assert await subject.result("parent", {"child": "chain", "input": 1}) == [2, 4, 8]

    async def test_a_child_is_an_instance_under_the_id_it_was_given(self, subject: Subject) -> None:
        child = subject.new_id()
        parent = await subject.start("parent", {"child": "late_waiter", "id": child})
        await subject.probe.reached(child, "gate")
        subject.probe.open_gate(child, "gate")
        await subject.runtime.raise_event(child, "go", "to the child")
        assert (await subject.finish(parent)).result() == "to the child"
        state = await subject.runtime.get(child)
        assert state.status is WorkflowStatus.COMPLETED
        assert state.workflow == "late_waiter"
        assert state.parent_instance_id == parent

    async def test_an_event_reaches_a_child_that_the_same_turn_has_started(
        self, subject: Subject
    ) -> None:
        parents = [await subject.start("teller", subject.new_id()) for _ in range(10)]
        assert [(await subject.finish(parent)).result() for parent in parents] == ["told"] * 10

    async def test_children_side_by_side_come_in_the_order_of_the_calls(
        self, subject: Subject
    ) -> None:
        assert await subject.result("nursery", 10) == list(range(10))

    async def test_a_childs_failure_tells_type_message_stack_and_cause(
        self, subject: Subject
    ) -> None:
        result = await subject.result("parent", {"child": "failing", "input": "too young"})
        assert result == {
            "type": "ValueError",
            "message": "too young",
            "has_stack": True,
            "cause": "KeyError",
        }

    async def test_a_child_is_retried_as_often_as_it_fails(self, subject: Subject) -> None:
        child = subject.new_id()
        call = {"child": "flaky_child", "id": child, "input": 2, "retry": True}
        assert await subject.result("parent", call) == 3
        assert subject.probe.calls(child, "flaky") == 3

    async def test_a_child_that_never_succeeds_fails_after_the_last_attempt(
        self, subject: Subject
    ) -> None:
        child = subject.new_id()
        call = {"child": "flaky_child", "id": child, "input": 99, "retry": True}
        result = await subject.result("parent", call)
        assert result["type"] == "TaskFailedError"
        assert "attempt 5" in result["message"]
        assert subject.probe.calls(child, "flaky") == 5

    async def test_a_child_that_continues_as_new_brings_its_last_result(
        self, subject: Subject
    ) -> None:
        assert await subject.result("parent", {"child": "countdown", "input": 3}) == ["done", 0]

    async def test_a_child_whose_id_is_taken_fails_and_harms_nobody(self, subject: Subject) -> None:
        taken = await subject.start_at_gate("late_waiter")
        result = await subject.result("parent", {"child": "echo", "id": taken, "input": 1})
        assert taken in result["message"]
        subject.probe.open_gate(taken, "gate")
        await subject.runtime.raise_event(taken, "go", "unharmed")
        assert (await subject.finish(taken)).result() == "unharmed"

    async def test_of_two_children_with_one_id_the_first_runs_and_the_second_fails(
        self, subject: Subject
    ) -> None:
        child = subject.new_id()
        parent = await subject.start("twins", child)
        await subject.probe.reached(parent, "refused")
        await subject.runtime.raise_event(child, "go", "to the one")
        first, second = (await subject.finish(parent)).result(list[object])
        assert first == "to the one"
        assert isinstance(second, dict)
        assert child in str(second["message"])

    async def test_an_instance_is_not_its_own_child(self, subject: Subject) -> None:
        instance_id = await subject.start("own_child")
        assert (await subject.finish(instance_id)).result() == "the parent"
        await subject.let_others_pass()
        state = await subject.runtime.get(instance_id)
        assert (state.workflow, state.result()) == ("own_child", "the parent")

    async def test_children_may_have_children(self, subject: Subject) -> None:
        call: dict[str, object] = {"child": "echo", "input": "the innermost"}
        for _ in range(5):
            call = {"child": "parent", "input": call}
        assert await subject.result("parent", call) == "the innermost"
