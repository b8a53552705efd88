"""A component that is closed and opened again: what was acknowledged is there, and goes on."""

from __future__ import annotations

import pytest

from flowyard.backend.component import Capability
from flowyard.errors import InstanceNotFound
from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import OpenSubject, lasting, requires


class Reopening:
    """Nothing that was acknowledged ends with the component, unless it says so."""

    @requires(Capability.VOLATILE)
    async def test_what_says_that_it_is_volatile_is(self, open_subject: OpenSubject) -> None:
        async with open_subject() as first:
            instance_id = await first.start("waiter")
        async with open_subject() as second:
            with pytest.raises(InstanceNotFound):
                await second.runtime.get(instance_id)

    @lasting()
    async def test_an_instance_goes_on_where_its_runtime_has_closed(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as first:
            instance_id = await first.start("waiter")
            await first.runtime.raise_event(instance_id, "other", "kept for nobody")
        async with open_subject() as second:
            await second.runtime.raise_event(instance_id, "go", "in the second")
            assert (await second.finish(instance_id)).result() == "in the second"

    @lasting()
    async def test_a_result_is_there_when_the_component_is_opened_again(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as first:
            closed = await first.run("echo", {"n": [1, None]})
        async with open_subject() as second:
            state = await second.runtime.get(closed.instance_id)
            assert state.result() == {"n": [1, None]}
            assert state.status is WorkflowStatus.COMPLETED

    @lasting()
    async def test_a_termination_holds_when_the_component_is_opened_again(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as first:
            instance_id = await first.start("waiter")
            await first.runtime.terminate(instance_id)
        async with open_subject() as second:
            assert (await second.finish(instance_id)).status is WorkflowStatus.TERMINATED

    @requires(Capability.PAUSE)
    @lasting()
    async def test_a_pause_and_what_came_during_it_hold_when_the_component_is_opened_again(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as first:
            instance_id = await first.start("waiter")
            await first.runtime.pause(instance_id)
            await first.runtime.raise_event(instance_id, "go", "kept")
        async with open_subject() as second:
            assert (await second.runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
            await second.runtime.resume(instance_id)
            assert (await second.finish(instance_id)).result() == "kept"

    @requires(Capability.PURGE)
    @lasting()
    async def test_a_purged_instance_stays_away(self, open_subject: OpenSubject) -> None:
        async with open_subject() as first:
            instance_id = (await first.run("echo", 1)).instance_id
            await first.runtime.purge(instance_id)
        async with open_subject() as second:
            with pytest.raises(InstanceNotFound):
                await second.runtime.get(instance_id)

    @requires(Capability.HOSTING)
    @lasting()
    async def test_each_event_arrives_once_though_the_component_was_closed_meanwhile(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as first:
            instance_id = await first.start("collector", 4)
            for number in (1, 2, 3):
                await first.runtime.raise_event(instance_id, "item", number)
        async with open_subject() as second:
            await second.runtime.raise_event(instance_id, "item", 4)
            assert (await second.finish(instance_id)).result() == [1, 2, 3, 4]

    @requires(Capability.HOSTING)
    @lasting()
    async def test_a_parent_learns_how_its_child_ended_though_the_component_was_closed_meanwhile(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as first:
            child = first.new_id()
            parent = await first.start("parent", {"child": "late_waiter", "id": child})
            await first.probe.reached(child, "gate")
        async with open_subject() as second:
            second.probe.open_gate(child, "gate")
            await second.runtime.raise_event(child, "go", "in the second")
            assert (await second.finish(parent)).result() == "in the second"

    @requires(Capability.HOSTING)
    @lasting()
    async def test_an_activity_that_was_cut_off_runs_again(self, open_subject: OpenSubject) -> None:
        async with open_subject(cuts_off=True) as first:
            instance_id = await first.start_at_gate("late_waiter")
            # Kept although nobody waits for it, and although the runtime closes.
            await first.runtime.raise_event(instance_id, "go", "kept")
        async with open_subject() as second:
            second.probe.open_gate(instance_id, "gate")
            assert (await second.finish(instance_id)).result() == "kept"

    @requires(Capability.HOSTING)
    @lasting()
    async def test_a_timer_fires_though_the_component_was_closed_meanwhile(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as first:
            instance_id = await first.start("timer", 500)
        async with open_subject() as second:
            assert (await second.finish(instance_id)).status is WorkflowStatus.COMPLETED
