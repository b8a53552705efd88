"""when_all and when_any, nested and with coroutines of the workflow."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flowyard import (
    App,
    Task,
    TaskFailedError,
    WorkflowCodeError,
    WorkflowContext,
    when_all,
    when_any,
)

if TYPE_CHECKING:
    from workflow.conftest import Rehearse


def test_when_all_gives_the_results_in_the_order_asked_for(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def fan_out(ctx: WorkflowContext) -> list[int]:
        return await when_all([ctx.call_activity("step", result_type=int) for _ in range(3)])

    rehearsal = rehearse(app)
    assert len(rehearsal.start("fan_out")) == 3
    rehearsal.complete(3, 30)
    rehearsal.turn(rehearsal.completed(1, 10), rehearsal.completed(2, 20))
    assert rehearsal.output == "[10,20,30]"


def test_when_all_of_nothing_completes_at_once(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def nothing(ctx: WorkflowContext) -> list[object]:
        return await when_all([])

    @app.workflow
    def nothing_yielded(ctx: WorkflowContext) -> Generator[Task[Any], Any, Any]:
        return (yield when_all([]))

    for form in ("nothing", "nothing_yielded"):
        rehearsal = rehearse(app)
        rehearsal.start(form)
        assert rehearsal.output == "[]"


def test_when_any_of_nothing_is_refused(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def nothing(ctx: WorkflowContext) -> None:
        await when_any([])

    rehearsal = rehearse(app)
    rehearsal.start("nothing")
    assert "at least one task" in rehearsal.failure.message


def test_when_all_fails_with_the_first_failure_without_waiting_for_the_rest(
    rehearse: Rehearse,
) -> None:
    app = App()

    @app.workflow
    async def fan_out(ctx: WorkflowContext) -> str:
        tasks = [ctx.call_activity("step") for _ in range(3)]
        both = when_all(tasks)
        try:
            await both
        except TaskFailedError as error:
            told = error.details.message
        else:
            told = "fine"
        assert both.is_failed
        assert both.get_exception() is tasks[1].get_exception()
        assert not tasks[0].is_complete
        return told

    rehearsal = rehearse(app)
    rehearsal.start("fan_out")
    rehearsal.fail(2)
    assert rehearsal.output == '"no stock"'


def test_when_all_waits_on_although_a_task_was_given_twice(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def fan_out(ctx: WorkflowContext) -> list[int]:
        one, two = (ctx.call_activity("step", result_type=int) for _ in range(2))
        return await when_all([one, two, one])

    rehearsal = rehearse(app)
    rehearsal.start("fan_out")
    rehearsal.complete(1, 1)
    assert not rehearsal.journal.is_closed
    rehearsal.complete(2, 2)
    assert rehearsal.output == "[1,2,1]"


def test_when_any_gives_the_very_task_that_came_first(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def race(ctx: WorkflowContext) -> list[object]:
        left, right = ctx.call_activity("left"), ctx.call_activity("right")
        winner = await when_any([left, right])
        return [winner is right, winner.get_result(), left.is_complete, right.is_complete]

    rehearsal = rehearse(app)
    rehearsal.start("race")
    rehearsal.complete(2, "fast")
    assert rehearsal.output == '[true,"fast",false,true]'


def test_when_any_is_won_by_a_failure_too(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def race(ctx: WorkflowContext) -> str:
        winner = await when_any([ctx.call_activity("left"), ctx.call_activity("right")])
        return str(winner.get_exception()) if winner.is_failed else "fine"

    rehearsal = rehearse(app)
    rehearsal.start("race")
    rehearsal.fail(1)
    assert rehearsal.output == "\"activity 'left' failed: ValueError: no stock\""


def test_the_loser_of_when_any_can_be_awaited_later(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def race(ctx: WorkflowContext) -> list[str]:
        left, right = (ctx.call_activity("step", result_type=str) for _ in range(2))
        first = await when_any([left, right])
        second = left if first is right else right
        return [first.get_result(), await second]

    rehearsal = rehearse(app)
    rehearsal.start("race")
    rehearsal.complete(2, "fast")
    rehearsal.complete(1, "slow")
    assert rehearsal.output == '["fast","slow"]'


def test_both_results_in_one_turn_leave_the_first_as_winner(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def race(ctx: WorkflowContext) -> list[object]:
        left, right = ctx.call_activity("left"), ctx.call_activity("right")
        winner = await when_any([left, right])
        return [winner is right, left.is_complete]

    rehearsal = rehearse(app)
    rehearsal.start("race")
    rehearsal.turn(rehearsal.completed(2), rehearsal.completed(1))
    assert rehearsal.output == "[true,false]"


def test_combinations_nest(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def nested(ctx: WorkflowContext) -> object:
        pair = when_all([ctx.call_activity("a"), ctx.call_activity("b")])
        race = when_any([ctx.call_activity("c"), ctx.create_timer(timedelta(hours=1))])
        await when_all([pair, race])
        return [pair.get_result(), race.get_result().get_result()]

    rehearsal = rehearse(app)
    rehearsal.start("nested")
    rehearsal.complete(2, "B")
    rehearsal.complete(3, "C")
    rehearsal.complete(1, "A")
    assert rehearsal.output == '[["A","B"],"C"]'


@pytest.mark.parametrize("is_late", [False, True])
def test_a_race_between_work_and_a_deadline(rehearse: Rehearse, is_late: bool) -> None:
    app = App()

    @app.workflow
    def deadline(ctx: WorkflowContext) -> Generator[Task[Any], Any, str]:
        work = when_all([ctx.call_activity("a"), ctx.call_activity("b")])
        late = ctx.create_timer(timedelta(minutes=5))
        winner = yield when_any([work, late])
        return "late" if winner is late else f"got {winner.get_result()}"

    rehearsal = rehearse(app)
    rehearsal.start("deadline")
    rehearsal.complete(1, 1)
    if is_late:
        rehearsal.fire(3)
    else:
        rehearsal.complete(2, 2)
    assert rehearsal.output == ('"late"' if is_late else '"got [1, 2]"')


def test_coroutines_of_the_workflow_run_side_by_side(rehearse: Rehearse) -> None:
    app = App()

    async def double(ctx: WorkflowContext, name: str) -> str:
        first = await ctx.call_activity(name, result_type=str)
        return first + await ctx.call_activity(name, result_type=str)

    @app.workflow
    async def branches(ctx: WorkflowContext) -> list[str]:
        return await when_all([double(ctx, "a"), double(ctx, "b")])

    rehearsal = rehearse(app)
    rehearsal.start("branches")
    assert rehearsal.activities == ["a", "b"]
    rehearsal.complete(2, "B")
    assert rehearsal.activities == ["a", "b"]
    rehearsal.complete(3, "B")
    rehearsal.complete(1, "A")
    rehearsal.complete(4, "A")
    assert rehearsal.output == '["AA","BB"]'


def test_generators_of_the_workflow_run_side_by_side(rehearse: Rehearse) -> None:
    app = App()

    def double(ctx: WorkflowContext, name: str) -> Generator[Task[Any], Any, str]:
        first = yield ctx.call_activity(name)
        second = yield ctx.call_activity(name)
        return f"{first}{second}"

    @app.workflow
    def branches(ctx: WorkflowContext) -> Generator[Task[Any], Any, Any]:
        return (yield when_all([double(ctx, "a"), double(ctx, "b")]))

    rehearsal = rehearse(app)
    rehearsal.start("branches")
    rehearsal.turn(rehearsal.completed(1, "A"), rehearsal.completed(2, "B"))
    rehearsal.turn(rehearsal.completed(3, "A"), rehearsal.completed(4, "B"))
    assert rehearsal.output == '["AA","BB"]'


def test_a_coroutine_that_loses_goes_on(rehearse: Rehearse) -> None:
    app = App()

    async def both_steps(ctx: WorkflowContext) -> str:
        await ctx.call_activity("first")
        return await ctx.call_activity("second", result_type=str)

    @app.workflow
    async def race(ctx: WorkflowContext) -> str:
        race = when_any([both_steps(ctx), ctx.create_timer(timedelta(seconds=1))])
        await race
        branch, _ = race.get_tasks()
        return str(await branch)

    rehearsal = rehearse(app)
    rehearsal.start("race")
    rehearsal.fire(1)
    rehearsal.complete(2)
    assert rehearsal.activities == ["second"]
    rehearsal.complete(3, "end")
    assert rehearsal.output == '"end"'


def test_a_coroutine_that_fails_fails_when_all_and_can_be_caught(rehearse: Rehearse) -> None:
    app = App()

    async def broken(ctx: WorkflowContext) -> None:
        await ctx.call_activity("first")
        raise KeyError("cup")

    @app.workflow
    async def branches(ctx: WorkflowContext) -> str:
        try:
            await when_all([broken(ctx), ctx.call_activity("other")])
        except KeyError as error:
            return str(error)
        return "fine"

    rehearsal = rehearse(app)
    rehearsal.start("branches")
    rehearsal.complete(2)
    assert rehearsal.output == "\"'cup'\""


def test_a_thousand_branches_end_in_their_order(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def fan_out(ctx: WorkflowContext) -> list[int]:
        return await when_all([ctx.call_activity("step", result_type=int) for _ in range(1000)])

    rehearsal = rehearse(app)
    rehearsal.start("fan_out")
    rehearsal.turn(*(rehearsal.completed(number, number) for number in range(1000, 0, -1)))
    assert rehearsal.output == str(list(range(1, 1001))).replace(" ", "")


def test_a_task_says_what_is_missing_when_asked_too_early(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def early(ctx: WorkflowContext) -> list[str]:
        task = ctx.call_activity("step")
        answers = []
        for ask in (task.get_result, task.get_exception):
            try:
                ask()
            except WorkflowCodeError as error:
                answers.append(str(error))
        await task
        try:
            task.get_exception()
        except WorkflowCodeError as error:
            answers.append(str(error))
        return answers

    rehearsal = rehearse(app)
    rehearsal.start("early")
    rehearsal.complete(1)
    assert rehearsal.output == (
        '["the task has not completed: await (or yield) it first",'
        '"the task has not failed","the task has not failed"]'
    )


@pytest.mark.parametrize("combine", [when_all, when_any])
def test_what_is_not_a_task_is_refused_by_its_type(rehearse: Rehearse, combine: Any) -> None:
    app = App()

    @app.workflow
    async def confused(ctx: WorkflowContext) -> None:
        await combine([ctx.create_timer(timedelta(hours=1)), 42])

    rehearsal = rehearse(app)
    rehearsal.start("confused")
    assert rehearsal.failure.error_type == "WorkflowCodeError"
    assert "'int'" in rehearsal.failure.message
