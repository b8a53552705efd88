"""Histories: what was recorded of an instance, and that it adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import pytest

from flowyard.backend.component import Capability
from flowyard.backend.history import (
    ChildCompleted,
    ChildCreated,
    EventRaised,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
)
from flowyard.errors import InstanceNotFound
from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import Subject, requires
from flowyard.testing.workflows.calls import RETRY_DELAYS

E = TypeVar("E")

_CAUSES = {
    TaskCompleted: TaskScheduled,
    TaskFailed: TaskScheduled,
    ChildCompleted: ChildCreated,
    TimerFired: TimerCreated,
}


class Recording:
    """`history` tells how the current execution came to its state."""

    @requires(Capability.HISTORY)
    async def test_a_history_begins_with_the_start_and_ends_with_the_completion(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("chain", 1)
        await subject.finish(instance_id)
        events = await subject.runtime.history(instance_id)
        turn, started, *_, completed = events
        assert isinstance(turn, TurnStarted)
        assert isinstance(started, ExecutionStarted)
        assert (started.workflow, started.input) == (subject.named("chain"), "1")
        assert isinstance(completed, ExecutionCompleted)
        assert completed.status is WorkflowStatus.COMPLETED
        assert completed.output == "[2,4,8]"
        assert _of(events, ExecutionStarted) == [started]
        assert _of(events, ExecutionCompleted) == [completed]

    @requires(Capability.HISTORY)
    async def test_each_activity_is_recorded_once_with_one_result(self, subject: Subject) -> None:
        instance_id = await subject.start("chain", 1)
        await subject.finish(instance_id)
        events = await subject.runtime.history(instance_id)
        scheduled = _of(events, TaskScheduled)
        assert [(event.name, event.input) for event in scheduled] == [
            ("double", "1"),
            ("double", "2"),
            ("double", "4"),
        ]
        assert [(event.task_id, event.output) for event in _of(events, TaskCompleted)] == [
            (event.id, output) for event, output in zip(scheduled, "248", strict=True)
        ]

    @requires(Capability.HISTORY)
    @pytest.mark.parametrize(
        ("workflow", "given"),
        [
            ("fan_out", 20),
            ("timers", [10, 0, 5]),
            ("nursery", 3),
            ("retries", 2),
            ("strands", 5),
            ("partly_broken", None),
        ],
    )
    async def test_every_result_follows_its_cause_and_comes_once(
        self, subject: Subject, workflow: str, given: object
    ) -> None:
        instance_id = await subject.start(workflow, given)
        await subject.finish(instance_id)
        events = await subject.runtime.history(instance_id)
        caused: set[tuple[type, int]] = set()
        answered: Counter[int] = Counter()
        for event in events:
            if isinstance(event, (TaskScheduled, ChildCreated, TimerCreated)):
                caused.add((type(event), event.id))
            elif isinstance(event, (TaskCompleted, TaskFailed, ChildCompleted)):
                assert (_CAUSES[type(event)], event.task_id) in caused
                answered[event.task_id] += 1
            elif isinstance(event, TimerFired):
                assert (TimerCreated, event.timer_id) in caused
                answered[event.timer_id] += 1
        assert caused
        assert set(answered.values()) == {1}

    @requires(Capability.HISTORY)
    async def test_ids_are_given_once_and_time_goes_forward(self, subject: Subject) -> None:
        instance_id = await subject.start("timers", [20, 10, 0])
        await subject.finish(instance_id)
        events = await subject.runtime.history(instance_id)
        ids = [event.id for event in _of(events, TimerCreated)]
        assert len(ids) == len(set(ids)) == 3
        times = [event.at for event in _of(events, TurnStarted)]
        assert times == sorted(times)

    @requires(Capability.HISTORY)
    async def test_no_timer_fires_before_its_time(self, subject: Subject) -> None:
        instance_id = await subject.start("timers", [30, 10])
        await subject.finish(instance_id)
        now = 0
        fired = 0
        for event in await subject.runtime.history(instance_id):
            if isinstance(event, TurnStarted):
                now = event.at
            elif isinstance(event, TimerFired):
                assert event.fire_at <= now
                fired += 1
        assert fired == 2

    @requires(Capability.HISTORY)
    async def test_events_are_recorded_with_their_data(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.raise_event(instance_id, "go", {"n": 1})
        await subject.finish(instance_id)
        raised = _of(await subject.runtime.history(instance_id), EventRaised)
        assert [(event.name.casefold(), event.input) for event in raised] == [("go", '{"n":1}')]

    @requires(Capability.HISTORY)
    async def test_retries_wait_as_their_policy_says(self, subject: Subject) -> None:
        instance_id = await subject.start("retries", 4)
        await subject.finish(instance_id)
        events = await subject.runtime.history(instance_id)
        delays: list[float] = []
        now = 0
        for event in events:
            if isinstance(event, TurnStarted):
                now = event.at
            elif isinstance(event, TimerCreated):
                assert event.origin == "activity-retry"
                delays.append((event.fire_at - now) / 1000)
        assert delays == RETRY_DELAYS
        assert len(_of(events, TaskFailed)) == 4
        assert len({event.first_id for event in _of(events, TaskScheduled)}) == 1

    @requires(Capability.HISTORY, Capability.PAUSE)
    async def test_pauses_are_recorded_once_each(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        for _ in range(2):
            await subject.runtime.pause(instance_id)
        for _ in range(2):
            await subject.runtime.resume(instance_id)
        await subject.runtime.raise_event(instance_id, "go")
        await subject.finish(instance_id)
        events = await subject.runtime.history(instance_id)
        assert len(_of(events, ExecutionSuspended)) == 1
        assert len(_of(events, ExecutionResumed)) == 1

    @requires(Capability.HISTORY)
    async def test_a_termination_is_recorded(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.terminate(instance_id)
        await subject.finish(instance_id)
        events = await subject.runtime.history(instance_id)
        assert len(_of(events, ExecutionTerminated)) == 1
        completed = events[-1]
        assert isinstance(completed, ExecutionCompleted)
        assert completed.status is WorkflowStatus.TERMINATED

    @requires(Capability.HISTORY)
    async def test_a_failure_is_recorded(self, subject: Subject) -> None:
        instance_id = await subject.start("failing", "as it was")
        await subject.finish(instance_id)
        completed = (await subject.runtime.history(instance_id))[-1]
        assert isinstance(completed, ExecutionCompleted)
        assert completed.failure is not None
        assert completed.failure.message == "as it was"

    @requires(Capability.HISTORY)
    async def test_a_child_has_a_history_of_its_own(self, subject: Subject) -> None:
        child = subject.new_id()
        parent = await subject.start("parent", {"child": "chain", "id": child, "input": 1})
        await subject.finish(parent)
        of_parent = await subject.runtime.history(parent)
        of_child = await subject.runtime.history(child)
        assert [event.instance_id for event in _of(of_parent, ChildCreated)] == [child]
        assert not _of(of_parent, TaskScheduled)
        assert len(_of(of_child, TaskScheduled)) == 3
        started = _of(of_child, ExecutionStarted)[0]
        assert started.parent is not None
        assert started.parent.instance_id == parent

    @requires(Capability.HISTORY)
    async def test_only_the_current_execution_is_told_after_continue_as_new(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("countdown", 5)
        await subject.finish(instance_id)
        events = await subject.runtime.history(instance_id)
        assert [event.input for event in _of(events, ExecutionStarted)] == ["0"]
        assert len(_of(events, TaskScheduled)) == 1

    @requires(Capability.HISTORY)
    async def test_a_history_that_was_told_is_told_again(self, subject: Subject) -> None:
        instance_id = await subject.start("deterministic")
        await subject.probe.reached(instance_id, "ready")
        # The activity that runs may be recorded at any moment, and comes after the rest.
        before = await subject.runtime.history(instance_id)
        known = [event for event in before if isinstance(event, (TaskScheduled, TaskCompleted))]
        await subject.runtime.raise_event(instance_id, "go")
        await subject.finish(instance_id)
        closed = await subject.runtime.history(instance_id)
        assert await subject.runtime.history(instance_id) == closed
        later = [event for event in closed if isinstance(event, (TaskScheduled, TaskCompleted))]
        assert later[: len(known)] == known

    @requires(Capability.HISTORY)
    async def test_the_history_of_an_unknown_instance_is_not_found(self, subject: Subject) -> None:
        with pytest.raises(InstanceNotFound):
            await subject.runtime.history(subject.new_id())


def _of(events: Sequence[HistoryEvent], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]
