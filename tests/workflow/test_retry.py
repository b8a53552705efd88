"""Retry policies: how often, when, and what ends them. Delays are read from the history."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flowyard import (
    App,
    FailureDetails,
    InvalidRequest,
    NonRetryableError,
    RetryPolicy,
    TaskFailedError,
    WorkflowContext,
    when_all,
)
from flowyard.backend.history import ChildCreated, ChildFailed, TaskScheduled, TimerCreated
from flowyard.identifier import child_instance_id

if TYPE_CHECKING:
    from workflow.conftest import Rehearsal, Rehearse

SECOND = timedelta(seconds=1)


class CardRefused(Exception):
    """The bank says no."""


def paying(**policy: Any) -> App:
    app = App()
    settings: dict[str, Any] = {"first_retry_interval": SECOND, "max_number_of_attempts": 5}
    retry_policy = RetryPolicy(**{**settings, **policy})

    @app.workflow
    async def order(ctx: WorkflowContext) -> str:
        try:
            return str(await ctx.call_activity("pay", input=7, retry_policy=retry_policy))
        except TaskFailedError as error:
            return f"gave up: {error}"

    return app


def failing_delays(
    rehearsal: Rehearsal, failure: FailureDetails | None = None, took: timedelta = timedelta(0)
) -> list[float]:
    """Let every attempt fail after some time; return the delays in between, in seconds."""
    rehearsal.start("order")
    seen: list[float] = []
    while rehearsal.journal.tasks:
        (task_id,) = rehearsal.journal.tasks
        rehearsal.now += took
        actions = rehearsal.fail(task_id, failure)
        delays = rehearsal.delays(actions)
        if delays:
            seen.append(delays[0].total_seconds())
            (timer_id,) = rehearsal.journal.timers
            rehearsal.fire(timer_id)
    return seen


@pytest.mark.parametrize(
    ("policy", "delays"),
    [
        ({}, [1, 1, 1, 1]),
        ({"max_number_of_attempts": 1}, []),
        ({"backoff_coefficient": 2.0}, [1, 2, 4, 8]),
        ({"backoff_coefficient": 1.5}, [1, 1.5, 2.25, 3.375]),
        ({"backoff_coefficient": None}, [1, 1, 1, 1]),
        ({"backoff_coefficient": 2.0, "max_retry_interval": 3 * SECOND}, [1, 2, 3, 3]),
        ({"max_retry_interval": SECOND / 2}, [0.5, 0.5, 0.5, 0.5]),
        ({"first_retry_interval": timedelta(0)}, [0, 0, 0, 0]),
        ({"backoff_coefficient": 2.0, "retry_timeout": 4 * SECOND}, [1, 2]),
        ({"retry_timeout": timedelta(0)}, []),
        ({"backoff_coefficient": 1e200}, [1, 315360000.0, 315360000.0, 315360000.0]),
    ],
)
def test_the_delays_follow_the_policy(
    rehearse: Rehearse, policy: dict[str, Any], delays: list[float]
) -> None:
    rehearsal = rehearse(paying(**policy))
    assert failing_delays(rehearsal) == delays
    tries = f" after {len(delays) + 1} attempts" if delays else ""
    assert rehearsal.output == (f"\"gave up: activity 'pay' failed{tries}: ValueError: no stock\"")


def test_the_total_timeout_counts_the_time_that_attempts_take(rehearse: Rehearse) -> None:
    rehearsal = rehearse(paying(retry_timeout=timedelta(minutes=1)))
    assert failing_delays(rehearsal, took=timedelta(seconds=25)) == [1, 1]


def test_an_attempt_that_succeeds_ends_the_retries(rehearse: Rehearse) -> None:
    rehearsal = rehearse(paying())
    rehearsal.start("order")
    rehearsal.fail(1)
    rehearsal.fire(2)
    rehearsal.complete(3, "paid")
    assert rehearsal.output == '"paid"'


def test_every_attempt_has_the_same_input_and_the_same_first_id(rehearse: Rehearse) -> None:
    rehearsal = rehearse(paying())
    assert rehearsal.start("order") == [TaskScheduled(1, "pay", "7", 1)]
    (timer,) = rehearsal.fail(1)
    assert isinstance(timer, TimerCreated)
    assert (timer.id, timer.origin, timer.name, timer.first_id) == (2, "activity-retry", "pay", 1)
    assert rehearsal.fire(2) == [TaskScheduled(3, "pay", "7", 1, attempt=2)]


def test_an_error_that_rules_out_retries_ends_them(rehearse: Rehearse) -> None:
    failure = FailureDetails.of(NonRetryableError("closed for ever"))
    assert failure.non_retryable
    rehearsal = rehearse(paying())
    assert failing_delays(rehearsal, failure) == []


def test_a_subclass_of_non_retryable_error_ends_them_too(rehearse: Rehearse) -> None:
    class Closed(NonRetryableError):
        pass

    assert failing_delays(rehearse(paying()), FailureDetails.of(Closed("for ever"))) == []


@pytest.mark.parametrize("named", [CardRefused, "CardRefused"])
def test_error_types_of_the_policy_end_them(rehearse: Rehearse, named: Any) -> None:
    app = paying(non_retryable_error_types=[named])
    assert failing_delays(rehearse(app), FailureDetails.of(CardRefused("no"))) == []
    assert failing_delays(rehearse(app), FailureDetails.of(ValueError("no"))) == [1, 1, 1, 1]


def test_children_are_retried_as_new_instances(rehearse: Rehearse) -> None:
    app = App()
    retry_policy = RetryPolicy(
        first_retry_interval=SECOND, max_number_of_attempts=2, backoff_coefficient=2
    )

    @app.workflow
    async def order(ctx: WorkflowContext) -> str:
        try:
            return str(await ctx.call_child_workflow("pack", input=7, retry_policy=retry_policy))
        except TaskFailedError as error:
            return str(error)

    failure = FailureDetails("ValueError", "no box")
    first, second = (child_instance_id("order-7", "execution-1", action) for action in (1, 3))
    rehearsal = rehearse(app)
    assert rehearsal.start("order") == [ChildCreated(1, "pack", first, "7")]
    (timer,) = rehearsal.turn(ChildFailed(1, failure))
    assert isinstance(timer, TimerCreated)
    assert (timer.origin, timer.name, timer.first_id) == ("child-retry", "pack", 1)
    assert rehearsal.fire(2) == [ChildCreated(3, "pack", second, "7")]
    rehearsal.turn(ChildFailed(3, failure))
    assert rehearsal.output == (
        "\"child workflow 'pack' failed after 2 attempts: ValueError: no box\""
    )


def test_a_retry_ends_no_other_wait(rehearse: Rehearse) -> None:
    app = App()
    retry_policy = RetryPolicy(first_retry_interval=SECOND, max_number_of_attempts=3)

    @app.workflow
    async def order(ctx: WorkflowContext) -> list[Any]:
        return await when_all(
            [ctx.call_activity(name, retry_policy=retry_policy) for name in ("pay", "ship")]
        )

    rehearsal = rehearse(app)
    rehearsal.start("order")
    rehearsal.fail(1)
    rehearsal.complete(2, "shipped")
    rehearsal.fire(3)
    rehearsal.complete(4, "paid")
    assert rehearsal.output == '["paid","shipped"]'


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"max_number_of_attempts": 0}, "max_number_of_attempts must be at least 1"),
        ({"backoff_coefficient": 0.5}, "backoff_coefficient must be at least 1"),
        ({"first_retry_interval": -SECOND}, "first_retry_interval must not be negative"),
        ({"max_retry_interval": -SECOND}, "max_retry_interval must not be negative"),
        ({"retry_timeout": -SECOND}, "retry_timeout must not be negative"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(policy: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        paying(**policy)


@pytest.mark.parametrize("final", [ConnectionError, "ConnectionError", "OSError"])
def test_subclasses_of_an_error_that_ends_retries_end_them_too(final: Any) -> None:
    policy = RetryPolicy(
        first_retry_interval=SECOND, max_number_of_attempts=3, non_retryable_error_types=[final]
    )
    reset, other = FailureDetails.of(ConnectionResetError()), FailureDetails.of(ValueError())
    assert policy.next_delay(1, timedelta(0), reset) is None
    assert policy.next_delay(1, timedelta(0), other) == SECOND


def test_an_interval_is_a_timedelta() -> None:
    with pytest.raises(InvalidRequest, match="first_retry_interval must be a timedelta, not 'int'"):
        RetryPolicy(first_retry_interval=5, max_number_of_attempts=3)  # type: ignore[arg-type]
