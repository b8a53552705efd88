"""Continue-as-new: the same instance, a new execution, nothing lost and nothing left over."""

from __future__ import annotations

from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import Subject


class Renewing:
    """`continue_as_new` begins again with a new input and, if asked, with the kept events."""

    async def test_an_instance_goes_on_with_its_new_input(self, subject: Subject) -> None:
        instance_id = await subject.start("countdown", 20)
        state = await subject.finish(instance_id)
        assert state.status is WorkflowStatus.COMPLETED
        assert state.result() == ["done", 0]
        assert state.instance_id == instance_id
        assert subject.probe.records(instance_id) == list(range(20, -1, -1))

    async def test_events_are_kept_where_asked(self, subject: Subject) -> None:
        instance_id = await subject.start("eternal", [])
        for item in (*range(10), "end"):
            await subject.runtime.raise_event(instance_id, "item", item)
        assert (await subject.finish(instance_id)).result() == list(range(10))

    async def test_events_that_were_raised_before_are_kept_in_their_order(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("keeper", [])
        await subject.probe.reached(instance_id, "gate")
        for item in (*range(5), "end"):
            await subject.runtime.raise_event(instance_id, "item", item)
        subject.probe.open_gate(instance_id, "gate")
        assert (await subject.finish(instance_id)).result() == list(range(5))

    async def test_events_are_dropped_where_not_asked(self, subject: Subject) -> None:
        instance_id = await subject.start("forgetful", False)
        await subject.probe.reached(instance_id, "gate")
        await subject.runtime.raise_event(instance_id, "go", "dropped")
        subject.probe.open_gate(instance_id, "gate")
        await subject.probe.reached(instance_id, "second")
        await subject.runtime.raise_event(instance_id, "go", "taken")
        assert (await subject.finish(instance_id)).result() == "taken"

    async def test_a_task_left_behind_does_not_answer_the_new_execution(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("abandoned_task", False)
        await subject.probe.reached(instance_id, "old")
        await subject.runtime.raise_event(instance_id, "go")
        await subject.probe.reached(instance_id, "new")
        subject.probe.open_gate(instance_id, "old")
        await subject.let_others_pass()
        subject.probe.open_gate(instance_id, "new")
        assert (await subject.finish(instance_id)).result() == "new"

    async def test_a_child_left_behind_keeps_its_id_to_itself(self, subject: Subject) -> None:
        instance_id = await subject.start("child_left_behind", False)
        await subject.probe.reached(instance_id, "begun")
        subject.probe.open_gate(instance_id, "begun")
        assert (await subject.finish(instance_id)).result() == "second"

    async def test_the_instance_keeps_its_creation_time(self, subject: Subject) -> None:
        instance_id = await subject.start("eternal", [])
        before = await subject.runtime.get(instance_id)
        await subject.runtime.raise_event(instance_id, "item", 1)
        await subject.runtime.raise_event(instance_id, "item", "end")
        assert (await subject.finish(instance_id)).created_at == before.created_at
