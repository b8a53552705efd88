"""The journal: what a host must record, and what of a history is still open."""

from __future__ import annotations

import msgspec

from flowyard import WorkflowStatus
from flowyard.backend.executor import TurnResult
from flowyard.backend.history import (
    LINEAGE,
    OWN_HISTORY,
    Action,
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ContinuedAsNew,
    EventRaised,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    Parent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    decode_events,
)
from flowyard.backend.journal import Journal, suspended_after
from flowyard.backend.timestamps import NEVER
from flowyard.failure import FailureDetails

STARTED = ExecutionStarted("order", None, "execution-1")
FAILURE = FailureDetails("ValueError", "no stock")


def running(*actions: HistoryEvent) -> Journal:
    return Journal("order-7", [TurnStarted(1), STARTED, *actions])


def record(journal: Journal, *events: HistoryEvent) -> list[HistoryEvent]:
    """Run a turn in which the code decides nothing."""
    admitted = [event for event in events if journal.admit(event)]
    return journal.commit(journal.turn(2, admitted), TurnResult())


def test_an_instance_without_history_is_pending() -> None:
    assert Journal("order-7").status is WorkflowStatus.PENDING
    assert running().status is WorkflowStatus.RUNNING


def test_a_second_start_is_not_admitted() -> None:
    assert not running().admit(STARTED)


def test_the_first_result_of_a_task_counts_and_a_second_is_dropped() -> None:
    journal = running(TaskScheduled(1, "pay", None, 1), ChildCreated(2, "pack", "box", None))
    assert journal.admit(TaskFailed(1, FAILURE))
    assert not journal.admit(TaskCompleted(1, "1"))
    assert not journal.admit(TaskFailed(1, FAILURE))
    assert journal.admit(ChildCompleted(2, "1"))
    assert not journal.admit(ChildCompleted(2, "1"))
    assert not journal.admit(TaskCompleted(9, "1"))


def test_a_timer_fires_once() -> None:
    journal = running(TimerCreated(1, 50))
    assert journal.due_timers(49) == []
    (fired,) = journal.due_timers(50)
    assert fired == TimerFired(1, 50)
    assert journal.admit(fired)
    assert not journal.admit(fired)
    assert journal.due_timers(100) == []


def test_the_next_timer_is_the_earliest_that_ever_fires() -> None:
    assert running().next_timer() is None
    assert running(TimerCreated(1, NEVER)).next_timer() is None
    assert (
        running(TimerCreated(1, NEVER), TimerCreated(2, 70), TimerCreated(3, 60)).next_timer() == 60
    )


def test_a_redundant_pause_or_resume_is_not_recorded() -> None:
    journal = running()
    assert not journal.admit(ExecutionResumed())
    assert journal.admit(ExecutionSuspended())
    assert not journal.admit(ExecutionSuspended())
    assert journal.status is WorkflowStatus.SUSPENDED
    assert journal.admit(ExecutionResumed())
    assert not journal.suspended


def test_a_pause_counts_before_a_turn_has_taken_it_and_ends_in_what_was_before() -> None:
    paused, resumed = ExecutionSuspended(), ExecutionResumed()
    assert suspended_after([paused, EventRaised("go", None)], suspended=False)
    assert not suspended_after([paused, resumed], suspended=True)
    assert suspended_after([EventRaised("go", None)], suspended=True)
    for journal, status in (
        (Journal("order-7"), WorkflowStatus.PENDING),
        (running(), WorkflowStatus.RUNNING),
        (running(paused), WorkflowStatus.RUNNING),
    ):
        assert journal.status_if(suspended=True) is WorkflowStatus.SUSPENDED
        assert journal.status_if(suspended=False) is status
    ended = running(ExecutionCompleted(WorkflowStatus.COMPLETED, "1"))
    assert ended.status_if(suspended=True) is WorkflowStatus.COMPLETED


def test_a_paused_instance_records_and_runs_no_code() -> None:
    journal = running(TaskScheduled(1, "pay", None, 1))
    record(journal, ExecutionSuspended())
    events: list[HistoryEvent] = [TaskCompleted(1, "1"), EventRaised("go", None)]
    for event in events:
        assert journal.admit(event)
        turn = journal.turn(3, [event])
        assert not turn.runs_code
        assert journal.commit(turn, TurnResult()) == [TurnStarted(3), event]
    assert journal.admit(ExecutionResumed())
    assert journal.turn(4, [ExecutionResumed()]).runs_code


def test_a_turn_that_pauses_and_resumes_runs_code() -> None:
    journal = running()
    record(journal, ExecutionSuspended())
    events: list[HistoryEvent] = [
        ExecutionResumed(),
        EventRaised("go", None),
        ExecutionSuspended(),
    ]
    assert all(journal.admit(event) for event in events)
    assert journal.turn(3, events).runs_code
    assert journal.status is WorkflowStatus.SUSPENDED


def test_an_instance_that_has_not_started_runs_no_code() -> None:
    journal = Journal("order-7")
    assert journal.admit(EventRaised("go", None))
    assert not journal.turn(1, [EventRaised("go", None)]).runs_code


def test_a_termination_ends_the_instance_without_its_code() -> None:
    journal = running(TaskScheduled(1, "pay", None, 1))
    terminated = ExecutionTerminated('"stopped"')
    assert journal.admit(terminated)
    assert not journal.admit(EventRaised("go", None))
    turn = journal.turn(3, [terminated])
    assert not turn.runs_code
    added = journal.commit(turn, TurnResult())
    completion = ExecutionCompleted(WorkflowStatus.TERMINATED, '"stopped"')
    assert added == [TurnStarted(3), terminated, completion]
    assert journal.status is WorkflowStatus.TERMINATED


def test_nothing_is_admitted_after_the_end() -> None:
    journal = running(
        TaskScheduled(1, "pay", None, 1), ExecutionCompleted(WorkflowStatus.COMPLETED, "1")
    )
    assert journal.is_closed
    for event in (
        TaskCompleted(1, "1"),
        EventRaised("go", None),
        ExecutionSuspended(),
        ExecutionTerminated(),
    ):
        assert not journal.admit(event)


def test_the_actions_of_a_turn_are_open_until_they_are_answered() -> None:
    journal = running()
    task, timer = TaskScheduled(1, "pay", None, 1), TimerCreated(2, 50)
    child = ChildCreated(3, "pack", "box", None)
    turn = journal.turn(2, [])
    added = journal.commit(turn, TurnResult([task, timer, child], version="v1", patches=("p",)))
    assert added == [TurnStarted(2, "v1", ("p",)), task, timer, child]
    assert (journal.tasks, journal.timers, journal.children) == ({1: task}, {2: timer}, {3: child})
    record(journal, TaskCompleted(1, "1"), TimerFired(2, 50), ChildCompleted(3, "1"))
    assert (journal.tasks, journal.timers, journal.children) == ({}, {}, {})


def test_an_action_is_open_until_it_is_answered_and_what_nothing_answers_never_is() -> None:
    detached = ChildCreated(2, "pack", "box", None, detached=True)
    journal = running(TaskScheduled(1, "pay", None, 1), detached, TimerCreated(3, NEVER))
    assert [number for number in range(5) if journal.is_open(number)] == [1]
    assert journal.admit(TaskCompleted(1, "1"))
    assert not journal.is_open(1)


def test_a_journal_read_from_its_own_history_is_the_same() -> None:
    journal = running(TaskScheduled(1, "pay", None, 1), TaskScheduled(2, "ship", None, 2))
    record(journal, TaskCompleted(1, "1"), ExecutionSuspended())
    record(journal, EventRaised("go", None))
    again = Journal("order-7", journal.history)
    assert again.tasks == journal.tasks
    assert again.status is journal.status is WorkflowStatus.SUSPENDED
    assert again.admit(EventRaised("go", None))
    assert not again.turn(5, [EventRaised("go", None)]).runs_code


def decided(journal: Journal, *actions: Action) -> TurnResult:
    """Run a turn in which the code decides this; return what of it counts."""
    result = TurnResult(actions)
    journal.commit(journal.turn(2, []), result)
    return result


def test_of_several_ends_the_first_one_counts() -> None:
    done = ExecutionCompleted(WorkflowStatus.COMPLETED, "1")
    failed = ExecutionCompleted(WorkflowStatus.FAILED, failure=FAILURE)
    again = ContinuedAsNew("2")
    for first, *others in ((done, again, failed), (failed, done), (again, done)):
        journal = running()
        pay = TaskScheduled(1, "pay", None, 1)
        assert decided(journal, first, *others, pay).actions == [first, pay]
        assert journal.completion is (None if first is again else first)
        assert journal.continuation is (again if first is again else None)
        assert journal.history[-2:] == [first, pay]


def test_a_child_with_its_parents_id_is_refused_and_answered() -> None:
    journal = running()
    (child,) = decided(journal, ChildCreated(1, "order", "order-7", None)).actions
    assert isinstance(child, ChildCreated)
    assert child.refused is not None
    assert child.refused.error_type == "InstanceAlreadyExists"
    assert not journal.children
    for kept in (journal, Journal("order-7", journal.history)):
        (failed,) = kept.refused.values()
        assert failed == ChildFailed(1, child.refused)
        assert kept.admit(failed)
        assert not kept.refused
        assert not kept.admit(failed)


def test_a_detached_instance_is_not_open_and_has_no_parent() -> None:
    journal = running()
    aside = ChildCreated(1, "aside", "aside-1", "2", detached=True, start_at=9)
    decided(journal, aside)
    assert not journal.children
    assert journal.child_started(aside, "e") == ExecutionStarted("aside", "2", "e", None, 9)
    child = ChildCreated(2, "pack", "box", "3")
    decided(journal, child)
    link = Parent("order-7", "execution-1", "order", 2)
    assert journal.child_started(child, "e") == ExecutionStarted("pack", "3", "e", link)


def test_a_timer_that_never_fires_leaves_its_number_to_others() -> None:
    journal = running(TimerCreated(1, NEVER, "event", "go"), TaskScheduled(1, "pay", None, 1))
    assert not journal.timers
    assert not journal.admit(TimerFired(1, NEVER))
    assert journal.admit(TaskCompleted(1, "1"))


def test_a_child_is_told_what_has_happened_before_it() -> None:
    first = running()
    own = ChildCreated(1, "pack", "box", None, propagation=OWN_HISTORY)
    decided(first, own, TaskScheduled(2, "pay", None, 2))
    started = first.child_started(own, "e")
    assert started.propagated is not None
    (chunk,) = started.propagated.chunks
    assert (chunk.instance_id, chunk.workflow) == ("order-7", "order")
    assert decode_events(chunk.events.encode()) == [TurnStarted(1), STARTED, TurnStarted(2), own]

    second = Journal("box", [TurnStarted(1), started])
    for scope, tellers in ((OWN_HISTORY, ["box"]), (LINEAGE, ["order-7", "box"])):
        call = ChildCreated(scope, "label", f"label-{scope}", None, propagation=scope)
        decided(second, call)
        told = second.child_started(call, "f").propagated
        assert told is not None
        assert [chunk.instance_id for chunk in told.chunks] == tellers
        # What the caller was told is in chunks of its own, not once more in its start.
        begun = decode_events(told.chunks[-1].events.encode())[1]
        assert begun == msgspec.structs.replace(started, propagated=None)
    decided(second, ContinuedAsNew("2"))
    (anew, *_) = second.successor("g")
    assert isinstance(anew, ExecutionStarted)
    assert anew.propagated is not None
    assert [chunk.instance_id for chunk in anew.propagated.chunks] == ["box"]
