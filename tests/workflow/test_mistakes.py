"""Ordinary mistakes in workflow code: each gets an error that says what to do instead."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowyard import (
    ActivityContext,
    App,
    WorkflowCodeError,
    WorkflowContext,
    WorkflowStatus,
    when_all,
    when_any,
)
from flowyard.backend.history import ContinuedAsNew

if TYPE_CHECKING:
    from workflow.conftest import Rehearsal, Rehearse

Code = Callable[[WorkflowContext], Awaitable[object]]


def play(rehearse: Rehearse, code: Callable[..., Any]) -> Rehearsal:
    app = App()
    app.workflow(name="mistaken")(code)
    rehearsal = rehearse(app)
    rehearsal.start("mistaken")
    return rehearsal


class Response:
    """Awaitable as the answer of an HTTP client is."""

    def __await__(self) -> Generator[Any, None, str]:
        yield from asyncio.get_running_loop().create_future()
        return "never"


async def sleeps_no_time(ctx: WorkflowContext) -> None:
    await asyncio.sleep(0)


async def sleeps(ctx: WorkflowContext) -> None:
    await asyncio.sleep(1)


async def sleeps_with_anyio(ctx: WorkflowContext) -> None:
    await anyio.sleep(1)


async def asks_the_web(ctx: WorkflowContext) -> None:
    await Response()


async def awaits_an_event_of_the_loop(ctx: WorkflowContext) -> None:
    await asyncio.Event().wait()


async def times_out_by_the_loop(ctx: WorkflowContext) -> None:
    async with asyncio.timeout(1):
        await ctx.call_activity("step")


async def uses_a_thread(ctx: WorkflowContext) -> None:
    await asyncio.to_thread(print)


async def opens_a_connection(ctx: WorkflowContext) -> None:
    await asyncio.open_connection("localhost", 1)


async def sleeps_in_a_branch(ctx: WorkflowContext) -> None:
    await when_all([ctx.call_activity("step"), asyncio.sleep(1)])


async def makes_a_future(ctx: WorkflowContext) -> None:
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    "code",
    [
        sleeps_no_time,
        sleeps,
        sleeps_with_anyio,
        asks_the_web,
        awaits_an_event_of_the_loop,
        times_out_by_the_loop,
        uses_a_thread,
        opens_a_connection,
        sleeps_in_a_branch,
        makes_a_future,
    ],
)
async def test_waiting_for_what_is_no_task_of_the_context_is_explained(
    rehearse: Rehearse, code: Code
) -> None:
    failure = play(rehearse, code).failure
    assert failure.error_type == "WorkflowCodeError"
    for advice in ("ctx.create_timer()", "when_all()", "ctx.call_activity() for I/O"):
        assert advice in failure.message
    assert code.__name__ in (failure.stack_trace or "")


async def nothing(ctx: WorkflowContext) -> None:
    await ctx.call_activity("step")


async def gathers(ctx: WorkflowContext) -> None:
    await asyncio.gather(ctx.call_activity("a"), ctx.call_activity("b"))


async def creates_a_task(ctx: WorkflowContext) -> None:
    await asyncio.create_task(nothing(ctx))


async def waits_for(ctx: WorkflowContext) -> None:
    await asyncio.wait_for(nothing(ctx), 1)


async def groups_tasks(ctx: WorkflowContext) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(nothing(ctx))


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("code", [gathers, creates_a_task, waits_for, groups_tasks])
async def test_running_code_on_the_event_loop_is_explained(rehearse: Rehearse, code: Code) -> None:
    failure = play(rehearse, code).failure
    assert failure.error_type == "WorkflowCodeError"
    assert "when_all() instead of asyncio.gather()" in failure.message
    gc.collect()


async def test_a_mistake_leaves_the_loop_that_runs_the_workflow_as_it_was(
    rehearse: Rehearse,
) -> None:
    loop = asyncio.get_running_loop()
    play(rehearse, sleeps)
    assert asyncio.get_running_loop() is loop
    await asyncio.sleep(0)


def test_a_mistake_can_be_caught_and_the_workflow_goes_on(rehearse: Rehearse) -> None:
    async def careful(ctx: WorkflowContext) -> str:
        try:
            await asyncio.sleep(0)
        except WorkflowCodeError as error:
            await ctx.call_activity("step")
            return type(error).__name__
        return "fine"

    rehearsal = play(rehearse, careful)
    rehearsal.complete(1)
    assert rehearsal.output == '"WorkflowCodeError"'


@pytest.mark.parametrize("value", [None, 42, "task", [1], object(), asyncio.sleep])
def test_a_generator_that_yields_no_task_is_told_so(rehearse: Rehearse, value: object) -> None:
    def generator(ctx: WorkflowContext) -> Generator[Any, Any, None]:
        yield value

    failure = play(rehearse, generator).failure
    assert failure.error_type == "WorkflowCodeError"
    assert f"{type(value).__name__!r}, which is not a task" in failure.message


class Kept:
    """Holds on to a context, as a global or a callback does."""

    context: WorkflowContext


USES: list[Callable[[WorkflowContext], object]] = [
    lambda ctx: ctx.call_activity("step"),
    lambda ctx: ctx.call_child_workflow("child"),
    lambda ctx: ctx.create_timer(timedelta(1)),
    lambda ctx: ctx.wait_for_external_event("go"),
    lambda ctx: ctx.send_event("order-8", "go"),
    lambda ctx: ctx.continue_as_new(None),
]


@pytest.mark.parametrize("use", USES)
def test_using_the_context_after_the_end_is_refused(
    rehearse: Rehearse, use: Callable[[WorkflowContext], object]
) -> None:
    async def keeping(ctx: WorkflowContext) -> None:
        Kept.context = ctx

    rehearsal = play(rehearse, keeping)
    assert rehearsal.output == "null"
    with pytest.raises(Exception, match="after the workflow had ended"):
        use(Kept.context)


@pytest.mark.parametrize("use", USES)
def test_using_the_context_after_continue_as_new_is_refused(
    rehearse: Rehearse, use: Callable[[WorkflowContext], object]
) -> None:
    async def greedy(ctx: WorkflowContext) -> None:
        ctx.continue_as_new(None)
        with pytest.raises(WorkflowCodeError, match="has called continue_as_new: return from it"):
            use(ctx)

    assert play(rehearse, greedy).journal.continuation == ContinuedAsNew(None)


@pytest.mark.parametrize("result", [object(), float("nan"), float("-inf"), {1, object()}, b"\xff"])
def test_a_result_that_is_not_json_fails_the_workflow_and_says_so(
    rehearse: Rehearse, result: object
) -> None:
    async def odd(ctx: WorkflowContext) -> object:
        return result

    failure = play(rehearse, odd).failure
    assert failure.error_type == "PayloadError"
    assert failure.message.startswith("result of workflow 'mistaken' is not JSON: ")


def test_a_task_returned_instead_of_awaited_is_named(rehearse: Rehearse) -> None:
    async def forgetful(ctx: WorkflowContext) -> object:
        return ctx.call_activity("step")

    failure = play(rehearse, forgetful).failure
    assert failure.error_type == "WorkflowCodeError"
    assert "await it first" in failure.message


async def test_an_activity_that_is_not_registered_fails_with_the_nearest_names(
    workflow_kit: Any,
) -> None:
    app = App()

    @app.activity
    def reserve_stock(ctx: ActivityContext) -> None: ...

    @app.workflow
    async def caller(ctx: WorkflowContext) -> None:
        await ctx.call_activity("reserve_stok")

    async with workflow_kit(app) as kit:
        state = await kit.wait(await kit.runtime.start(caller))
    assert state.status is WorkflowStatus.FAILED
    cause = state.failure.cause
    assert cause.error_type == "ActivityNotRegistered"
    assert cause.message == (
        "activity 'reserve_stok' is not registered. Did you mean 'reserve_stock'? "
        "Register it with @app.activity."
    )


def test_code_left_behind_is_closed_and_its_last_wishes_are_refused(rehearse: Rehearse) -> None:
    wishes: list[str] = []

    async def branch(ctx: WorkflowContext) -> None:
        try:
            await ctx.wait_for_external_event("never")
        finally:
            try:
                ctx.call_activity("clean up")
            except WorkflowCodeError as error:
                wishes.append(str(error))

    async def racing(ctx: WorkflowContext) -> str:
        await when_any([branch(ctx), ctx.create_timer(timedelta(hours=1))])
        return "done"

    app = App()
    app.workflow(name="mistaken")(racing)
    rehearsal = rehearse(app, replays=False)
    rehearsal.start("mistaken")
    rehearsal.fire(1)
    assert rehearsal.output == '"done"'
    assert len(wishes) == 1
    assert "had ended" in wishes[0]


@pytest.mark.parametrize("is_branch", [False, True])
def test_errors_of_code_that_is_left_behind_reach_nobody(
    rehearse: Rehearse, is_branch: bool
) -> None:
    async def breaking(ctx: WorkflowContext) -> None:
        try:
            await ctx.wait_for_external_event("never")
        finally:
            raise ZeroDivisionError

    async def stubborn(ctx: WorkflowContext) -> None:
        while True:
            try:
                await ctx.wait_for_external_event("never")
            except GeneratorExit:
                await ctx.wait_for_external_event("never, never")

    def started(code: Callable[[WorkflowContext], Coroutine[Any, Any, None]]) -> Rehearsal:
        async def outer(ctx: WorkflowContext) -> None:
            await when_all([code(ctx)] if is_branch else [])
            await code(ctx)

        return play(rehearse, outer)

    for code in (breaking, stubborn):
        rehearsal = started(code)
        rehearsal.executor.forget("order-7")
        gc.collect()
        assert not rehearsal.journal.is_closed
