"""Pause and resume: a paused instance takes no turn, and loses nothing."""

from __future__ import annotations

import asyncio

import pytest

from flowyard.backend.component import Capability
from flowyard.errors import InstanceAlreadyExists
from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import ACTIVE, Subject, requires


class Pausing:
    """`pause` and `resume` are durable when acknowledged; repeating them changes nothing."""

    @requires(Capability.PAUSE)
    async def test_a_paused_instance_is_suspended_and_goes_on_when_resumed(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("waiter")
        assert await subject.runtime.pause(instance_id) is True
        assert (await subject.runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        assert await subject.runtime.resume(instance_id) is True
        assert (await subject.runtime.get(instance_id)).status in ACTIVE
        await subject.runtime.raise_event(instance_id, "go", "on")
        assert (await subject.finish(instance_id)).result() == "on"

    @requires(Capability.PAUSE)
    async def test_a_repeated_pause_and_a_repeated_resume_change_nothing(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("waiter")
        assert await subject.runtime.resume(instance_id) is False
        assert await subject.runtime.pause(instance_id) is True
        assert await subject.runtime.pause(instance_id) is False
        assert (await subject.runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        assert await subject.runtime.resume(instance_id) is True
        assert await subject.runtime.resume(instance_id) is False
        await subject.runtime.raise_event(instance_id, "go", "on")
        assert (await subject.finish(instance_id)).result() == "on"

    @requires(Capability.PAUSE)
    async def test_of_many_pauses_at_once_exactly_one_changes_something(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("waiter")
        paused = await asyncio.gather(*(subject.runtime.pause(instance_id) for _ in range(10)))
        assert sum(paused) == 1
        resumed = await asyncio.gather(*(subject.runtime.resume(instance_id) for _ in range(10)))
        assert sum(resumed) == 1

    @requires(Capability.PAUSE)
    async def test_an_event_raised_while_paused_is_kept(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.pause(instance_id)
        assert await subject.runtime.raise_event(instance_id, "go", "kept") is True
        assert (await subject.runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        await subject.runtime.resume(instance_id)
        assert (await subject.finish(instance_id)).result() == "kept"

    @requires(Capability.PAUSE)
    async def test_events_raised_before_while_and_after_a_pause_keep_their_order(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("collector", 6)
        for number in range(6):
            if number == 2:
                await subject.runtime.pause(instance_id)
            if number == 4:
                await subject.runtime.resume(instance_id)
            await subject.runtime.raise_event(instance_id, "item", number)
        assert (await subject.finish(instance_id)).result() == [0, 1, 2, 3, 4, 5]

    @requires(Capability.PAUSE)
    async def test_a_paused_instance_takes_no_turn_whatever_happens(self, subject: Subject) -> None:
        instance_id = await subject.start_at_gate("pause_witness")
        await subject.runtime.pause(instance_id)
        # The timer may have fired before the pause took hold, and its activity may still record.
        await subject.let_others_pass()
        await subject.runtime.raise_event(instance_id, "go", "kept")
        subject.probe.open_gate(instance_id, "gate")
        await subject.let_others_pass()
        assert subject.probe.records(instance_id) in ([], ["timer"])
        assert (await subject.runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        await subject.runtime.resume(instance_id)
        assert (await subject.finish(instance_id)).result() == [None, "gate", "kept"]
        recorded = subject.probe.records(instance_id)
        assert sorted(map(str, recorded)) == ["event", "gate passed", "timer"]

    @requires(Capability.PAUSE)
    async def test_an_activity_that_runs_during_a_pause_finishes_and_is_recorded(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start_at_gate("gated")
        await subject.runtime.pause(instance_id)
        subject.probe.open_gate(instance_id, "gate")
        await subject.let_others_pass()
        await subject.runtime.resume(instance_id)
        assert (await subject.finish(instance_id)).result() == "gate"
        assert subject.probe.calls(instance_id, "gate") == 1

    @requires(Capability.PAUSE)
    async def test_a_paused_instance_can_be_terminated(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.pause(instance_id)
        assert await subject.runtime.terminate(instance_id) is True
        assert (await subject.finish(instance_id)).status is WorkflowStatus.TERMINATED

    @requires(Capability.PAUSE)
    async def test_a_paused_instance_keeps_its_id(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.pause(instance_id)
        with pytest.raises(InstanceAlreadyExists):
            await subject.start("echo", 1, instance_id=instance_id)

    @requires(Capability.PAUSE)
    async def test_a_pause_ends_with_its_instance(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.pause(instance_id)
        await subject.runtime.terminate(instance_id)
        await subject.finish(instance_id)
        assert (await subject.run("echo", "new", instance_id=instance_id)).result() == "new"

    @requires(Capability.PAUSE)
    async def test_a_pause_holds_across_continue_as_new(self, subject: Subject) -> None:
        instance_id = await subject.start("eternal", [])
        await subject.runtime.pause(instance_id)
        for item in (1, 2, "end"):
            await subject.runtime.raise_event(instance_id, "item", item)
        await subject.let_others_pass()
        assert (await subject.runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        await subject.runtime.resume(instance_id)
        assert (await subject.finish(instance_id)).result() == [1, 2]
