"""Continue-as-new: a new input, an empty history, and no event lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flowyard import (
    App,
    FailureDetails,
    RetryPolicy,
    WorkflowCodeError,
    WorkflowContext,
    when_any,
)
from flowyard.backend.history import (
    ContinuedAsNew,
    EventRaised,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    HistoryEvent,
    TaskFailed,
    TurnStarted,
)
from workflow.conftest import Rehearsal

if TYPE_CHECKING:
    from workflow.conftest import Rehearse


def renewing(*, save_events: bool) -> App:
    app = App()

    @app.workflow
    async def counter(ctx: WorkflowContext, rounds: int) -> int:
        await ctx.call_activity("step")
        if rounds == 3:
            return rounds
        ctx.continue_as_new(rounds + 1, save_events=save_events)
        return rounds

    return app


def successor_of(rehearsal: Rehearsal) -> list[HistoryEvent]:
    return rehearsal.journal.successor("execution-2")


def test_the_next_execution_begins_with_the_new_input(rehearse: Rehearse) -> None:
    rehearsal = rehearse(renewing(save_events=False))
    rehearsal.start("counter", 1)
    assert rehearsal.complete(1) == [ContinuedAsNew("2")]
    assert successor_of(rehearsal) == [ExecutionStarted("counter", "2", "execution-2")]
    assert not rehearsal.journal.is_closed


def test_the_next_execution_counts_its_actions_anew(rehearse: Rehearse) -> None:
    rehearsal = rehearse(renewing(save_events=False))
    rehearsal.start("counter", 2)
    rehearsal.complete(1)
    following = rehearse(rehearsal.app)
    following.turn(*successor_of(rehearsal))
    following.complete(1)
    assert following.output == "3"


def test_kept_events_are_all_that_nobody_waited_for_in_their_order(rehearse: Rehearse) -> None:
    rehearsal = rehearse(renewing(save_events=True))
    rehearsal.start("counter", 1)
    for name, data in (("a", 1), ("b", 2), ("A", 3)):
        rehearsal.raise_event(name, data)
    (action,) = rehearsal.complete(1)
    assert isinstance(action, ContinuedAsNew)
    assert action.carryover == (
        EventRaised("a", "1"),
        EventRaised("b", "2"),
        EventRaised("A", "3"),
    )
    assert successor_of(rehearsal)[1:] == list(action.carryover)


def test_without_keeping_events_those_seen_before_are_dropped(rehearse: Rehearse) -> None:
    rehearsal = rehearse(renewing(save_events=False))
    rehearsal.start("counter", 1)
    rehearsal.raise_event("a", 1)
    assert rehearsal.complete(1) == [ContinuedAsNew("2")]


@pytest.mark.parametrize("save_events", [False, True])
def test_events_after_the_call_in_the_same_turn_belong_to_the_next_execution(
    rehearse: Rehearse, save_events: bool
) -> None:
    rehearsal = rehearse(renewing(save_events=save_events))
    rehearsal.start("counter", 1)
    actions = rehearsal.turn(
        rehearsal.completed(1), rehearsal.raised("a", 1), rehearsal.raised("b", 2)
    )
    assert actions == [ContinuedAsNew("2", (EventRaised("a", "1"), EventRaised("b", "2")))]


@pytest.mark.parametrize("save_events", [False, True])
def test_events_that_came_while_paused_in_that_turn_belong_to_the_next_execution(
    rehearse: Rehearse, save_events: bool
) -> None:
    rehearsal = rehearse(renewing(save_events=save_events))
    rehearsal.start("counter", 1)
    actions = rehearsal.turn(rehearsal.completed(1), ExecutionSuspended(), rehearsal.raised("a", 1))
    assert actions == [ContinuedAsNew("2", (EventRaised("a", "1"),))]
    assert successor_of(rehearsal) == [
        ExecutionSuspended(),
        ExecutionStarted("counter", "2", "execution-2"),
        EventRaised("a", "1"),
    ]


def test_a_pause_outlives_the_execution(rehearse: Rehearse) -> None:
    rehearsal = rehearse(renewing(save_events=False))
    rehearsal.start("counter", 1)
    rehearsal.turn(rehearsal.completed(1), ExecutionSuspended())
    following = rehearse(rehearsal.app)
    following.turn(*successor_of(rehearsal))
    assert following.journal.suspended
    assert following.activities == []
    following.turn(ExecutionResumed())
    assert following.activities == ["step"]


@pytest.mark.parametrize("save_events", [False, True])
def test_an_event_between_the_call_and_the_return_is_not_lost(
    rehearse: Rehearse, save_events: bool
) -> None:
    app = App()

    @app.workflow
    async def slow_to_leave(ctx: WorkflowContext) -> None:
        last = ctx.call_activity("last")
        await ctx.call_activity("step")
        ctx.continue_as_new(None, save_events=save_events)
        await last

    rehearsal = rehearse(app)
    rehearsal.start("slow_to_leave")
    rehearsal.raise_event("before", 1)
    rehearsal.complete(2)
    rehearsal.raise_event("between", 2)
    (action,) = rehearsal.complete(1)
    before = (EventRaised("before", "1"),) if save_events else ()
    assert action == ContinuedAsNew(None, (*before, EventRaised("between", "2")))


def test_an_event_kept_by_an_abandoned_wait_is_kept_for_the_next_execution(
    rehearse: Rehearse,
) -> None:
    app = App()

    @app.workflow
    async def reminder(ctx: WorkflowContext) -> None:
        go = ctx.wait_for_external_event("go")
        await when_any([go, ctx.call_activity("step")])
        await ctx.call_activity("remind")
        ctx.continue_as_new(None, save_events=True)

    rehearsal = rehearse(app)
    rehearsal.start("reminder")
    rehearsal.complete(1)
    rehearsal.raise_event("go", 1)
    assert rehearsal.complete(2) == [ContinuedAsNew(None, (EventRaised("go", "1"),))]


def test_continue_as_new_counts_although_the_code_fails_after_it(
    rehearse: Rehearse, caplog: pytest.LogCaptureFixture
) -> None:
    app = App()

    @app.workflow
    async def failing(ctx: WorkflowContext) -> None:
        ctx.continue_as_new(None)
        raise ValueError("too late")

    rehearsal = rehearse(app)
    assert rehearsal.start("failing") == [ContinuedAsNew(None)]
    assert (
        "raised ValueError after continue_as_new, which takes effect all the same: too late"
        in caplog.text
    )


def yielding(ctx: WorkflowContext, rounds: int) -> Iterator[Any]:
    yield ctx.continue_as_new(rounds + 1)


async def awaiting(ctx: WorkflowContext, rounds: int) -> None:
    await ctx.continue_as_new(rounds + 1)


async def returning(ctx: WorkflowContext, rounds: int) -> object:
    return ctx.continue_as_new(rounds + 1)


async def catching(ctx: WorkflowContext, rounds: int) -> None:
    ctx.continue_as_new(rounds + 1)
    with suppress(WorkflowCodeError):
        await ctx.call_activity("step")


async def waiting(ctx: WorkflowContext, rounds: int) -> None:
    step = ctx.call_activity("step")
    ctx.continue_as_new(rounds + 1)
    await step


@pytest.mark.parametrize("code", [yielding, awaiting, returning, catching, waiting])
def test_continue_as_new_ends_the_execution_in_its_turn(
    rehearse: Rehearse, code: Callable[..., Any]
) -> None:
    app = App()
    app.workflow(code)
    rehearsal = rehearse(app)
    assert rehearsal.start(code.__name__, 1)[-1] == ContinuedAsNew("2")


def test_what_settles_after_continue_as_new_asks_for_nothing(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def impatient(ctx: WorkflowContext) -> None:
        policy = RetryPolicy(first_retry_interval=timedelta(1), max_number_of_attempts=2)
        retried = ctx.call_activity("retried", retry_policy=policy)
        await ctx.call_activity("step")
        ctx.continue_as_new(None)
        await retried

    rehearsal = rehearse(app)
    rehearsal.start("impatient")
    failed = TaskFailed(1, FailureDetails("ValueError", "no"))
    assert rehearsal.turn(rehearsal.completed(2), failed) == [ContinuedAsNew(None)]


def test_an_instance_that_went_on_after_continue_as_new_ends_with_its_next_turn(
    rehearse: Rehearse,
) -> None:
    """Code could wait for what it had asked for before, turn after turn."""
    app = App()
    app.workflow(waiting)
    rehearsal = rehearse(app)
    rehearsal.start("waiting", 1)
    history = [
        event for event in rehearsal.journal.history if not isinstance(event, ContinuedAsNew)
    ]
    old = Rehearsal(app, [*history, TurnStarted(0)])
    assert old.complete(1) == [ContinuedAsNew("2")]


def test_a_new_input_that_does_not_fit_fails_at_the_call(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def counter(ctx: WorkflowContext, rounds: int) -> None:
        ctx.continue_as_new("many")

    rehearsal = rehearse(app)
    rehearsal.start("counter", 1)
    assert rehearsal.failure.error_type == "PayloadError"
    assert rehearsal.failure.message.startswith("new input of workflow 'counter' does not fit")
