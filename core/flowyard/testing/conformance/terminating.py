"""Terminate: the instance ends at once, with the output that was given, and so do its children."""

from __future__ import annotations

import asyncio

from flowyard.backend.component import Capability
from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import ACTIVE, Subject, requires


class Terminating:
    """`terminate` closes what is active and does nothing to what is closed."""

    async def test_a_terminated_instance_is_terminated(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        assert await subject.runtime.terminate(instance_id) is True
        state = await subject.finish(instance_id)
        assert state.status is WorkflowStatus.TERMINATED
        assert state.output is None

    async def test_of_many_terminations_at_once_exactly_one_changes_something(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("waiter")
        ended = await asyncio.gather(*(subject.runtime.terminate(instance_id) for _ in range(10)))
        assert sum(ended) == 1

    @requires(Capability.TERMINATE_OUTPUT)
    async def test_the_output_given_is_the_instances_output(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.terminate(instance_id, output={"reason": "no longer needed"})
        state = await subject.finish(instance_id)
        assert state.status is WorkflowStatus.TERMINATED
        assert state.output == '{"reason":"no longer needed"}'

    async def test_nothing_follows_a_termination(self, subject: Subject) -> None:
        instance_id = await subject.start_at_gate("gated")
        await subject.runtime.terminate(instance_id)
        before = await subject.finish(instance_id)
        subject.probe.open_gate(instance_id, "gate")
        await subject.let_others_pass()
        assert subject.probe.records(instance_id) == []
        assert await subject.runtime.get(instance_id) == before

    async def test_children_are_terminated_too(self, subject: Subject) -> None:
        parent, child = await _family(subject)
        await subject.runtime.terminate(parent)
        assert (await subject.finish(parent)).status is WorkflowStatus.TERMINATED
        assert (await subject.finish(child)).status is WorkflowStatus.TERMINATED

    async def test_children_of_children_are_terminated_too(self, subject: Subject) -> None:
        grandchild = subject.new_id()
        inner = {"child": "late_waiter", "id": grandchild}
        child = subject.new_id()
        top = await subject.start("parent", {"child": "parent", "id": child, "input": inner})
        await subject.probe.reached(grandchild, "gate")
        await subject.runtime.terminate(top)
        for instance_id in (top, child, grandchild):
            assert (await subject.finish(instance_id)).status is WorkflowStatus.TERMINATED

    async def test_children_go_on_where_termination_is_not_recursive(
        self, subject: Subject
    ) -> None:
        parent, child = await _family(subject)
        await subject.runtime.terminate(parent, recursive=False)
        assert (await subject.finish(parent)).status is WorkflowStatus.TERMINATED
        assert (await subject.runtime.get(child)).status in ACTIVE
        subject.probe.open_gate(child, "gate")
        await subject.runtime.raise_event(child, "go", "alone")
        assert (await subject.finish(child)).result() == "alone"
        assert (await subject.runtime.get(parent)).status is WorkflowStatus.TERMINATED

    async def test_an_instance_is_not_terminated_with_one_that_claimed_its_id_in_vain(
        self, subject: Subject
    ) -> None:
        victim = await subject.start("waiter")
        claimant = await subject.start("claimant", victim)
        await subject.probe.reached(claimant, "refused")
        await subject.runtime.terminate(claimant)
        await subject.finish(claimant)
        await subject.let_others_pass()
        await subject.runtime.raise_event(victim, "go", "unharmed")
        assert (await subject.finish(victim)).result() == "unharmed"

    async def test_the_parent_of_a_terminated_child_learns_that_it_failed(
        self, subject: Subject
    ) -> None:
        parent, child = await _family(subject)
        await subject.runtime.terminate(child)
        result = (await subject.finish(parent)).result(dict[str, object])
        assert child in str(result["message"])


async def _family(subject: Subject) -> tuple[str, str]:
    """Start a parent whose child stands at its gate; return both IDs."""
    child = subject.new_id()
    parent = await subject.start("parent", {"child": "late_waiter", "id": child})
    await subject.probe.reached(child, "gate")
    return parent, child
