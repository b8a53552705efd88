"""A component whose process is killed: what was acknowledged is there when it is opened again."""

from __future__ import annotations

import pytest

from flowyard.backend.component import Capability
from flowyard.backend.history import encode_events
from flowyard.errors import InstanceNotFound
from flowyard.models import WorkflowStatus
from flowyard.testing import killed
from flowyard.testing.conformance.killing import KillingFixtures, killed_after
from flowyard.testing.conformance.subject import ACTIVE, Subject
from flowyard.testing.killed import Facts


class Surviving(KillingFixtures):
    """Nothing that was acknowledged ends with the process, however suddenly that ends."""

    @killed_after(killed.a_start)
    async def test_a_start_outlives_the_killed_process(
        self, subject: Subject, facts: Facts
    ) -> None:
        assert (await subject.runtime.get(facts["id"])).status in ACTIVE
        assert await subject.runtime.raise_event(facts["id"], "go", "afterwards") is True
        assert (await subject.finish(facts["id"])).result() == "afterwards"

    @killed_after(killed.a_delayed_start)
    async def test_a_delayed_start_outlives_the_killed_process(
        self, subject: Subject, facts: Facts
    ) -> None:
        assert (await subject.runtime.get(facts["id"])).status is WorkflowStatus.PENDING
        assert await subject.runtime.terminate(facts["id"]) is True

    @killed_after(killed.an_early_event)
    async def test_an_event_for_which_nobody_waited_yet_outlives_the_killed_process(
        self, subject: Subject, facts: Facts
    ) -> None:
        subject.probe.open_gate(facts["id"], "gate")
        assert (await subject.finish(facts["id"])).result() == "kept"
        assert subject.probe.calls(facts["id"], "gate") == 1

    @killed_after(killed.some_events)
    async def test_each_event_arrives_once_though_the_process_was_killed(
        self, subject: Subject, facts: Facts
    ) -> None:
        assert await subject.runtime.raise_event(facts["id"], "item", 4) is True
        assert (await subject.finish(facts["id"])).result() == [1, 2, 3, 4]

    @killed_after(killed.a_pause)
    async def test_a_pause_outlives_the_killed_process(
        self, subject: Subject, facts: Facts
    ) -> None:
        assert (await subject.runtime.get(facts["id"])).status is WorkflowStatus.SUSPENDED
        assert await subject.runtime.pause(facts["id"]) is False
        assert await subject.runtime.resume(facts["id"]) is True

    @killed_after(killed.an_event_during_a_pause)
    async def test_an_event_during_a_pause_outlives_the_killed_process(
        self, subject: Subject, facts: Facts
    ) -> None:
        await subject.let_others_pass()
        assert (await subject.runtime.get(facts["id"])).status is WorkflowStatus.SUSPENDED
        await subject.runtime.resume(facts["id"])
        assert (await subject.finish(facts["id"])).result() == "kept"

    @killed_after(killed.a_resumption)
    async def test_a_resumption_outlives_the_killed_process(
        self, subject: Subject, facts: Facts
    ) -> None:
        assert (await subject.runtime.get(facts["id"])).status in ACTIVE
        await subject.runtime.raise_event(facts["id"], "go", "on")
        assert (await subject.finish(facts["id"])).result() == "on"

    @killed_after(killed.a_termination)
    async def test_a_termination_outlives_the_killed_process_and_reaches_the_children(
        self, subject: Subject, facts: Facts
    ) -> None:
        for instance_id in (facts["id"], facts["child"]):
            assert (await subject.finish(instance_id)).status is WorkflowStatus.TERMINATED

    @killed_after(killed.a_purge)
    async def test_what_was_purged_stays_away_after_the_process_was_killed(
        self, subject: Subject, facts: Facts
    ) -> None:
        for instance_id in (facts["id"], facts["child"]):
            with pytest.raises(InstanceNotFound):
                await subject.runtime.get(instance_id)

    @killed_after(killed.an_end)
    async def test_an_instance_that_had_ended_is_as_it_was_before_the_process_was_killed(
        self, subject: Subject, facts: Facts
    ) -> None:
        state = await subject.runtime.get(facts["id"])
        assert state.status is WorkflowStatus.COMPLETED
        assert state.result() == [2, 4, 8]
        assert state.created_at.isoformat() == facts["created_at"]
        if Capability.HISTORY in subject.capabilities:
            history = await subject.runtime.history(facts["id"])
            assert encode_events(history).decode() == facts["history"]

    @killed_after(killed.a_result)
    async def test_an_activity_whose_result_was_recorded_does_not_run_again(
        self, subject: Subject, facts: Facts
    ) -> None:
        await subject.runtime.raise_event(facts["id"], "go")
        *before, _after = (await subject.finish(facts["id"])).result(list[str])
        assert "|".join(before) == facts["recorded"]
        assert facts["recorded"] not in subject.probe.records(facts["id"])

    @killed_after(killed.a_timer)
    async def test_a_timer_fires_though_the_process_was_killed_meanwhile(
        self, subject: Subject, facts: Facts
    ) -> None:
        assert (await subject.finish(facts["id"])).result(float) >= 1000

    @killed_after(killed.an_end_of_a_child)
    async def test_a_parent_learns_how_its_children_ended_before_and_after_the_process_was_killed(
        self, subject: Subject, facts: Facts
    ) -> None:
        assert (await subject.runtime.get(facts["ended"])).parent_instance_id == facts["id"]
        await subject.runtime.raise_event(facts["waiting"], "go", "afterwards")
        assert (await subject.finish(facts["id"])).result() == ["ended", "afterwards"]

    @killed_after(killed.a_renewal)
    async def test_an_instance_that_continues_as_new_goes_on_after_the_process_was_killed(
        self, subject: Subject, facts: Facts
    ) -> None:
        await subject.runtime.raise_event(facts["id"], "item", "end")
        assert (await subject.finish(facts["id"])).result() == [1, 2]
