"""Rerun: a copy of a closed instance does the rest anew, and leaves the source alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flowyard.backend.component import Capability
from flowyard.backend.history import (
    ChildCreated,
    HistoryEvent,
    TaskCompleted,
    TaskScheduled,
    TimerCreated,
)
from flowyard.errors import (
    EventNotFound,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InvalidRequest,
)
from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import Subject, requires

_needs = requires(Capability.RERUN, Capability.HISTORY, Capability.HOSTING)


class Rerunning:
    """What was done before the event is taken over, what comes after it is left out."""

    @_needs
    async def test_a_rerun_does_an_event_anew_and_keeps_what_was_before(
        self, subject: Subject
    ) -> None:
        source = (await subject.run("chain", 1)).instance_id
        before = await subject.runtime.get(source), await subject.runtime.history(source)
        second = [event for event in before[1] if isinstance(event, TaskScheduled)][1].id
        copy = await subject.runtime.rerun(
            source, second, new_instance_id=subject.new_id(), input=10, overwrite_input=True
        )
        assert copy != source
        state = await subject.finish(copy)
        assert (state.workflow, state.input, state.parent_instance_id) == ("chain", "1", None)
        assert state.result() == [2, 20, 40]
        assert (await subject.runtime.get(source), await subject.runtime.history(source)) == before

    @_needs
    async def test_a_rerun_without_a_new_input_repeats_the_recorded_one(
        self, subject: Subject
    ) -> None:
        source = (await subject.run("chain", 3)).instance_id
        called = await _first(subject, source, TaskScheduled)
        copies = [await subject.runtime.rerun(source, called) for _ in range(2)]
        assert len({source, *copies}) == 3
        for copy in copies:
            assert (await subject.finish(copy)).result() == [6, 12, 24]

    @_needs
    async def test_what_was_done_before_the_event_is_not_done_again(self, subject: Subject) -> None:
        source = await subject.start_at_gate("gated")
        subject.probe.open_gate(source, "gate")
        await subject.finish(source)
        history = await subject.runtime.history(source)
        recorded = [event for event in history if isinstance(event, TaskScheduled)][1].id
        copy = await subject.runtime.rerun(source, recorded)
        await subject.finish(copy)
        # The gate of the copy was never opened.
        assert subject.probe.records(copy) == ["after"]

    @_needs
    async def test_what_was_asked_for_together_is_done_anew_together(
        self, subject: Subject
    ) -> None:
        source = (await subject.run("fan_out", 3)).instance_id
        called = await _first(subject, source, TaskScheduled)
        copy = await subject.runtime.rerun(source, called, input=50, overwrite_input=True)
        assert (await subject.finish(copy)).result() == [100, 2, 4]
        done = [
            event
            for event in await subject.runtime.history(copy)
            if isinstance(event, TaskCompleted)
        ]
        assert len(done) == 3

    @_needs
    async def test_a_failed_instance_can_be_rerun(self, subject: Subject) -> None:
        source = await subject.run("uncaught", "broken")
        assert source.status is WorkflowStatus.FAILED
        called = await _first(subject, source.instance_id, TaskScheduled)
        copy = await subject.runtime.rerun(source.instance_id, called)
        state = await subject.finish(copy)
        assert state.status is WorkflowStatus.FAILED
        assert state.failure is not None
        assert "broken" in state.failure.message

    @_needs
    async def test_a_timer_is_waited_for_anew(self, subject: Subject) -> None:
        source = (await subject.run("timer", 20)).instance_id
        created = await _first(subject, source, TimerCreated)
        copy = await subject.runtime.rerun(source, created)
        assert (await subject.finish(copy)).status is WorkflowStatus.COMPLETED
        old, new = [
            next(
                event
                for event in await subject.runtime.history(id_)
                if isinstance(event, TimerCreated)
            )
            for id_ in (source, copy)
        ]
        assert new.fire_at > old.fire_at

    @_needs
    async def test_the_copy_has_children_of_its_own(self, subject: Subject) -> None:
        source = (await subject.run("nursery", 2)).instance_id
        history = await subject.runtime.history(source)
        children = [event for event in history if isinstance(event, ChildCreated)]
        before = [await subject.runtime.get(child.instance_id) for child in children]
        named = subject.new_id()
        copy = await subject.runtime.rerun(
            source, children[1].id, child_instance_id=named, input="new", overwrite_input=True
        )
        assert (await subject.finish(copy)).result() == [0, "new"]
        assert (await subject.runtime.get(named)).parent_instance_id == copy
        assert [await subject.runtime.get(child.instance_id) for child in children] == before

    @_needs
    async def test_ids_that_the_code_makes_are_those_of_the_source(self, subject: Subject) -> None:
        source = await subject.start("deterministic")
        await subject.runtime.raise_event(source, "go")
        old = (await subject.finish(source)).result()
        history = await subject.runtime.history(source)
        ready = [event for event in history if isinstance(event, TaskScheduled)][1].id
        copy = await subject.runtime.rerun(source, ready)
        await subject.runtime.raise_event(copy, "go")
        assert (await subject.finish(copy)).result() == old

    @_needs
    async def test_an_active_instance_is_not_rerun(self, subject: Subject) -> None:
        source = await subject.start_at_gate("gated")
        with pytest.raises(InstanceNotClosed, match=source):
            await subject.runtime.rerun(source, 1)
        subject.probe.open_gate(source, "gate")
        assert (await subject.finish(source)).status is WorkflowStatus.COMPLETED

    @_needs
    async def test_a_rerun_takes_no_id_that_is_in_use(self, subject: Subject) -> None:
        source = (await subject.run("chain", 1)).instance_id
        called = await _first(subject, source, TaskScheduled)
        active = await subject.start("waiter")
        with pytest.raises(InstanceAlreadyExists, match=active):
            await subject.runtime.rerun(source, called, new_instance_id=active)
        with pytest.raises(InvalidRequest, match=source):
            await subject.runtime.rerun(source, called, new_instance_id=source)
        await subject.runtime.raise_event(active, "go", "unharmed")
        assert (await subject.finish(active)).result() == "unharmed"
        assert (await subject.runtime.get(source)).result() == [2, 4, 8]

    @_needs
    async def test_a_rerun_from_an_event_that_is_not_there_is_refused(
        self, subject: Subject
    ) -> None:
        source = (await subject.run("chain", 1)).instance_id
        new_id = subject.new_id()
        for event_id in (-1, 0, 4711):
            with pytest.raises(
                EventNotFound, match=f"does not have history event with ID '{event_id}'"
            ):
                await subject.runtime.rerun(source, event_id, new_instance_id=new_id)
        with pytest.raises(InstanceNotFound):
            await subject.runtime.get(new_id)

    @_needs
    async def test_what_an_event_has_not_is_not_overwritten(self, subject: Subject) -> None:
        source = (await subject.run("timer", 1)).instance_id
        timer = await _first(subject, source, TimerCreated)
        with pytest.raises(InvalidRequest):
            await subject.runtime.rerun(source, timer, input=1, overwrite_input=True)
        with pytest.raises(InvalidRequest):
            await subject.runtime.rerun(source, timer, child_instance_id=subject.new_id())
        with pytest.raises(InvalidRequest):
            await subject.runtime.rerun(source, timer, input=1)


async def _first(subject: Subject, instance_id: str, kind: Callable[..., HistoryEvent]) -> int:
    """Return the ID of the first event of a kind."""
    history = await subject.runtime.history(instance_id)
    event = next(event for event in history if type(event) is kind)
    assert isinstance(event, (TaskScheduled, TimerCreated, ChildCreated))
    return event.id
