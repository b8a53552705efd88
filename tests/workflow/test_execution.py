"""The three forms of workflow code, and how they chain steps."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from flowyard import App, Task, TaskFailedError, WorkflowContext, WorkflowStatus
from flowyard.backend.history import ExecutionCompleted, TaskScheduled

if TYPE_CHECKING:
    from workflow.conftest import Rehearse


class Order(BaseModel):
    item: str
    quantity: int = 1


def shop() -> App:
    app = App()

    @app.activity
    def reserve(ctx: object, order: Order) -> str:
        return f"reserved {order.quantity} {order.item}"

    @app.activity
    async def pay(ctx: object, amount: int) -> str:
        return f"paid {amount}"

    @app.workflow
    async def asynchronous(ctx: WorkflowContext, order: Order) -> list[str]:
        first = await ctx.call_activity(reserve, input=order)
        second = await ctx.call_activity(pay, input=3)
        return [first, second]

    @app.workflow
    def generator(ctx: WorkflowContext, order: Order) -> Generator[Task[Any], Any, list[str]]:
        first = yield ctx.call_activity(reserve, input=order)
        second = yield ctx.call_activity(pay, input=3)
        return [first, second]

    @app.workflow
    def plain(ctx: WorkflowContext, order: Order) -> str:
        return order.item.upper()

    return app


@pytest.mark.parametrize("form", ["asynchronous", "generator"])
def test_a_workflow_asks_for_one_step_at_a_time(rehearse: Rehearse, form: str) -> None:
    rehearsal = rehearse(shop())
    actions = rehearsal.start(form, {"item": "cup", "quantity": 2})
    assert actions == [TaskScheduled(1, "reserve", '{"item":"cup","quantity":2}', 1)]
    actions = rehearsal.complete(1, "reserved")
    assert actions == [TaskScheduled(2, "pay", "3", 2)]
    actions = rehearsal.complete(2, "paid")
    assert actions == [ExecutionCompleted(WorkflowStatus.COMPLETED, '["reserved","paid"]')]


def test_a_plain_function_ends_in_its_first_turn(rehearse: Rehearse) -> None:
    rehearsal = rehearse(shop())
    rehearsal.start("plain", {"item": "cup"})
    assert rehearsal.output == '"CUP"'


def test_a_workflow_may_take_no_input_and_return_nothing(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def silent(ctx: WorkflowContext) -> None:
        await ctx.create_timer(timedelta(seconds=1))

    rehearsal = rehearse(app)
    rehearsal.start("silent", {"ignored": True})
    rehearsal.fire(1)
    assert rehearsal.output == "null"


@pytest.mark.parametrize("is_generator", [False, True])
def test_a_failed_activity_can_be_caught_where_it_is_awaited(
    rehearse: Rehearse, is_generator: bool
) -> None:
    app = App()

    async def careful(ctx: WorkflowContext) -> str:
        try:
            await ctx.call_activity("reserve")
        except TaskFailedError as error:
            return f"{error.details.error_type}: {error.details.message}"
        return "fine"

    def careful_generator(ctx: WorkflowContext) -> Generator[Task[Any], Any, str]:
        try:
            yield ctx.call_activity("reserve")
        except TaskFailedError as error:
            return f"{error.details.error_type}: {error.details.message}"
        return "fine"

    app.workflow(name="careful")(careful_generator if is_generator else careful)
    rehearsal = rehearse(app)
    rehearsal.start("careful")
    rehearsal.fail(1)
    assert rehearsal.output == '"ValueError: no stock"'


def test_helpers_are_awaited_or_delegated_to_like_any_code(rehearse: Rehearse) -> None:
    app = App()

    async def both(ctx: WorkflowContext, name: str) -> list[str]:
        return [await ctx.call_activity(name), await ctx.call_activity(name)]

    def both_yielded(ctx: WorkflowContext, name: str) -> Generator[Task[Any], Any, list[str]]:
        first = yield ctx.call_activity(name)
        second = yield ctx.call_activity(name)
        return [first, second]

    @app.workflow
    async def asynchronous(ctx: WorkflowContext) -> list[str]:
        return await both(ctx, "step")

    @app.workflow
    def generator(ctx: WorkflowContext) -> Generator[Task[Any], Any, list[str]]:
        return (yield from both_yielded(ctx, "step"))

    for form in ("asynchronous", "generator"):
        rehearsal = rehearse(app)
        rehearsal.start(form)
        rehearsal.complete(1, "a")
        rehearsal.complete(2, "b")
        assert rehearsal.output == '["a","b"]'


def test_a_task_awaited_again_gives_its_result_again(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def twice(ctx: WorkflowContext) -> list[int]:
        task = ctx.call_activity("step", result_type=int)
        return [await task, await task, task.get_result()]

    rehearsal = rehearse(app)
    rehearsal.start("twice")
    rehearsal.complete(1, 5)
    assert rehearsal.output == "[5,5,5]"


def test_a_result_that_comes_twice_counts_once(rehearse: Rehearse) -> None:
    rehearsal = rehearse(shop())
    rehearsal.start("asynchronous", {"item": "cup"})
    rehearsal.turn(rehearsal.completed(1, "first"), rehearsal.completed(1, "second"))
    rehearsal.complete(1, "third")
    rehearsal.complete(2, "paid")
    assert rehearsal.output == '["first","paid"]'


def test_results_that_nobody_waited_for_change_nothing_after_the_end(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def hasty(ctx: WorkflowContext) -> str:
        ctx.call_activity("slow")
        return "done"

    rehearsal = rehearse(app)
    names = [type(action).__name__ for action in rehearsal.start("hasty")]
    assert names == ["TaskScheduled", "ExecutionCompleted"]
    assert rehearsal.complete(1, "late") == []
    assert rehearsal.output == '"done"'


def test_a_failure_has_type_message_stack_and_cause(rehearse: Rehearse) -> None:
    app = App()

    class OutOfStock(Exception):
        pass

    @app.workflow
    async def failing(ctx: WorkflowContext) -> None:
        try:
            await ctx.call_activity("reserve")
        except TaskFailedError as error:
            raise OutOfStock("no cups") from error

    rehearsal = rehearse(app)
    rehearsal.start("failing")
    rehearsal.fail(1)
    failure = rehearsal.failure
    assert (failure.error_type, failure.message) == ("OutOfStock", "no cups")
    assert "in failing" in (failure.stack_trace or "")
    assert 'raise OutOfStock("no cups")' in (failure.stack_trace or "")
    cause = failure.cause
    assert cause is not None
    assert cause.error_type == "TaskFailedError"
    assert cause.message == "activity 'reserve' failed: ValueError: no stock"
    assert cause.cause is not None
    assert (cause.cause.error_type, cause.cause.message) == ("ValueError", "no stock")


def test_a_failure_that_nobody_catches_fails_the_workflow_with_the_activitys_reason(
    rehearse: Rehearse,
) -> None:
    rehearsal = rehearse(shop())
    rehearsal.start("asynchronous", {"item": "cup"})
    rehearsal.fail(1)
    assert rehearsal.journal.status is WorkflowStatus.FAILED
    assert rehearsal.failure.error_type == "TaskFailedError"
    assert rehearsal.failure.cause is not None
    assert rehearsal.failure.cause.message == "no stock"


def stop_iterating() -> BaseException:
    return StopIteration("end")


def fail_in_two_ways() -> BaseException:
    return ExceptionGroup("two", [ValueError("a"), ValueError("b")])


def exit_program() -> BaseException:
    return SystemExit(1)


def cancel() -> BaseException:
    return CancelledError("enough")


@pytest.mark.parametrize("make", [stop_iterating, fail_in_two_ways, exit_program, cancel])
@pytest.mark.parametrize("form", ["asynchronous", "generator", "plain"])
def test_whatever_workflow_code_raises_fails_it_and_not_the_program(
    rehearse: Rehearse, make: Callable[[], BaseException], form: str
) -> None:
    app = App()

    @app.workflow
    def plain(ctx: WorkflowContext) -> None:
        raise make()

    @app.workflow
    async def asynchronous(ctx: WorkflowContext) -> None:
        await ctx.call_activity("step")
        raise make()

    @app.workflow
    def generator(ctx: WorkflowContext) -> Generator[Task[Any], Any, None]:
        yield ctx.call_activity("step")
        raise make()

    rehearsal = rehearse(app)
    rehearsal.start(form)
    rehearsal.complete(1)
    assert rehearsal.journal.status is WorkflowStatus.FAILED
