"""The local executor: how activities run, what fails them, and what is kept between turns."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from flowyard import (
    ActivityContext,
    App,
    FailureDetails,
    NonRetryableError,
    WorkflowContext,
    WorkflowNotRegistered,
)
from flowyard.backend.executor import ActivityResult, ActivityTask
from flowyard.backend.history import ExecutionStarted
from flowyard.executors.local import LocalExecutor

if TYPE_CHECKING:
    from workflow.conftest import Rehearse


class Order(BaseModel):
    item: str


class Panic(BaseException):
    """As extensions written in Rust raise it."""


async def run(function: Callable[..., Any], input: str | None = None) -> ActivityResult:
    app = App()
    app.activity(name="step")(function)
    with LocalExecutor(app) as executor:
        return await executor.run_activity(ActivityTask("order-7", 3, "step", input, "e:1"))


async def failure_of(function: Callable[..., Any], input: str | None = None) -> FailureDetails:
    result = await run(function, input)
    assert result.failure is not None, result.output
    return result.failure


async def test_an_async_activity_runs_on_the_loop_and_a_plain_one_in_a_thread() -> None:
    async def on_loop(ctx: ActivityContext) -> bool:
        return threading.current_thread() is threading.main_thread()

    def in_thread(ctx: ActivityContext) -> str:
        return threading.current_thread().name

    assert (await run(on_loop)).output == "true"
    assert ((await run(in_thread)).output or "").startswith('"flowyard-activity')


async def test_plain_activities_run_at_once_up_to_the_number_of_threads() -> None:
    app = App(max_activity_threads=3)
    together = threading.Barrier(3)

    @app.activity
    def meet(ctx: ActivityContext) -> int:
        return together.wait(timeout=30)

    with LocalExecutor(app) as executor:
        tasks = [ActivityTask("order-7", n, "meet", None, f"e:{n}") for n in range(3)]
        results = await asyncio.gather(*(executor.run_activity(task) for task in tasks))
    assert sorted(str(result.output) for result in results) == ["0", "1", "2"]


async def test_an_activity_knows_its_call() -> None:
    def who(ctx: ActivityContext) -> list[object]:
        return [ctx.workflow_id, ctx.task_id, ctx.task_execution_id, ctx.attempt]

    assert (await run(who)).output == '["order-7",3,"e:1",1]'


async def test_the_input_and_the_result_are_typed() -> None:
    def reserve(ctx: ActivityContext, order: Order) -> list[Order]:
        return [order, Order(item=order.item.upper())]

    assert (await run(reserve, '{"item":"cup"}')).output == '[{"item":"cup"},{"item":"CUP"}]'


async def test_an_input_that_does_not_fit_fails_the_activity_with_the_field() -> None:
    def reserve(ctx: ActivityContext, order: Order) -> None: ...

    failure = await failure_of(reserve, "{}")
    assert failure.error_type == "PayloadError"
    assert failure.message == "input of activity 'step' does not fit: item: Field required"
    assert (await failure_of(reserve)).message.startswith("input of activity 'step' does not fit")


async def test_an_input_left_out_leaves_the_default() -> None:
    def wait(ctx: ActivityContext, days: int = 5) -> int:
        return days

    assert (await run(wait)).output == "5"
    assert (await run(wait, "6")).output == "6"


async def test_a_result_that_does_not_fit_is_accepted_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = App()

    @app.activity(name="step")
    def reserve(ctx: ActivityContext) -> Order:
        return {"name": "cup"}  # type: ignore[return-value]

    with LocalExecutor(app) as executor:
        for _ in range(2):
            result = await executor.run_activity(ActivityTask("order-7", 3, "step", None, "e:1"))
            assert result.output == '{"name":"cup"}'
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert "activity 'step': what it returned does not fit its annotation" in warning.message
    assert "item: Field required" in warning.message


async def test_a_strict_app_fails_an_activity_whose_result_does_not_fit() -> None:
    app = App(strict_results=True)

    @app.activity(name="step")
    def reserve(ctx: ActivityContext) -> Order:
        return {"name": "cup"}  # type: ignore[return-value]

    with LocalExecutor(app.with_activities({})) as executor:
        result = await executor.run_activity(ActivityTask("order-7", 3, "step", None, "e:1"))
    assert result.failure is not None
    assert result.failure.message == "result of activity 'step' does not fit: item: Field required"


@pytest.mark.parametrize("value", [object(), float("nan"), threading.Lock()])
async def test_a_result_that_is_not_json_fails_the_activity(value: object) -> None:
    def odd(ctx: ActivityContext) -> object:
        return value

    failure = await failure_of(odd)
    assert failure.error_type == "PayloadError"
    assert failure.message.startswith("result of activity 'step' is not JSON: ")


ERRORS: list[Callable[[], BaseException]] = [
    lambda: ValueError("no stock"),
    lambda: StopIteration("end"),
    lambda: StopAsyncIteration("end"),
    lambda: SystemExit(3),
    lambda: asyncio.CancelledError("inner"),
    lambda: TimeoutError("late"),
    lambda: ExceptionGroup("two", [ValueError("a"), KeyError("b")]),
    lambda: Panic("called `Option::unwrap()` on a `None` value"),
    lambda: BaseExceptionGroup("two", [Panic("a"), KeyError("b")]),
    lambda: GeneratorExit("inner"),
    lambda: pytest.fail.Exception("not to be called"),
]


@pytest.mark.parametrize("make", ERRORS)
@pytest.mark.parametrize("is_async", [False, True])
async def test_whatever_an_activity_raises_is_its_result(
    make: Callable[[], BaseException], is_async: bool
) -> None:
    def plain(ctx: ActivityContext) -> None:
        raise make()

    async def asynchronous(ctx: ActivityContext) -> None:
        raise make()

    function: Callable[..., Any] = asynchronous if is_async else plain
    failure = await asyncio.wait_for(failure_of(function), timeout=30)
    told: FailureDetails | None = failure
    types = []
    while told is not None:
        types.append(told.error_type)
        told = told.cause
    assert type(make()).__name__ in types
    assert function.__name__ in (failure.stack_trace or "") + str(failure.cause)


async def test_ctrl_c_in_a_thread_is_the_activitys_own_doing() -> None:
    def interrupted(ctx: ActivityContext) -> None:
        raise KeyboardInterrupt

    assert (await failure_of(interrupted)).error_type == "KeyboardInterrupt"


def test_ctrl_c_in_the_main_thread_is_no_failure_of_an_activity() -> None:
    async def interrupted(ctx: ActivityContext) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run(interrupted))


async def test_an_activity_whose_coroutine_is_closed_has_no_result() -> None:
    """As happens to what a stopped event loop leaves behind, when it is collected."""
    results: list[ActivityResult] = []

    async def patient(ctx: ActivityContext) -> None:
        await asyncio.sleep(0)

    async def host() -> None:
        results.append(await run(patient))

    running = host()
    running.send(None)
    running.close()
    assert results == []


async def test_a_lazy_result_is_read_in_the_activitys_thread() -> None:
    threads: set[str] = set()

    def pages(ctx: ActivityContext) -> object:
        return map(fetch, range(3))

    def fetch(number: int) -> int:
        threads.add(threading.current_thread().name)
        return number

    assert (await run(pages)).output == "[0,1,2]"
    assert all(name.startswith("flowyard-activity") for name in threads)


async def test_an_activity_that_cancels_work_of_its_own_fails_and_does_not_hang() -> None:
    async def hasty(ctx: ActivityContext) -> None:
        work = asyncio.ensure_future(asyncio.Event().wait())
        work.cancel()
        await work

    assert (await failure_of(hasty)).error_type == "CancelledError"


async def test_an_activity_that_the_host_cancels_has_no_result() -> None:
    started = asyncio.Event()

    async def patient(ctx: ActivityContext) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(run(patient))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_that_rules_out_retries_says_so() -> None:
    async def closed(ctx: ActivityContext) -> None:
        raise NonRetryableError("for ever")

    assert (await failure_of(closed)).non_retryable


async def test_a_decorator_that_hides_an_async_activity_does_no_harm() -> None:
    async def inner(ctx: ActivityContext, amount: int) -> int:
        return amount + 1

    @functools.wraps(inner)
    def traced(*arguments: Any) -> Any:
        return inner(*arguments)

    assert (await run(traced, "5")).output == "6"


async def test_context_variables_reach_an_activity_in_a_thread() -> None:
    trace: ContextVar[str] = ContextVar("trace")
    trace.set("trace-1")

    def tell(ctx: ActivityContext) -> str:
        return trace.get()

    assert (await run(tell)).output == '"trace-1"'


async def test_an_unknown_activity_waits_until_it_is_registered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = App()
    with LocalExecutor(app) as executor:
        call = ActivityTask("order-7", 1, "reserve", None, "e:1")
        running = asyncio.create_task(executor.run_activity(call))
        await asyncio.sleep(0)
        assert executor.obstacle("order-7") == (
            "waits for activity 'reserve', which this process lacks"
        )
        assert executor.obstacle("order-8") is None
        assert "'order-7' waits for activity 'reserve', which this process lacks" in caplog.text

        def reserve(ctx: ActivityContext) -> str:
            return "reserved"

        await asyncio.to_thread(app.activity, reserve)
        assert (await running).output == '"reserved"'
        assert executor.obstacle("order-7") is None


async def test_an_unknown_activity_that_waits_can_be_cancelled() -> None:
    with LocalExecutor(App()) as executor:
        call = ActivityTask("order-7", 1, "reserve", None, "e:1")
        running = asyncio.create_task(executor.run_activity(call))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert executor.obstacle("order-7") is None


async def test_an_unknown_activity_ends_without_a_result_before_a_drain() -> None:
    with LocalExecutor(App()) as executor:
        calls = [ActivityTask("order-7", n, "reserve", None, f"e:{n}") for n in (1, 2)]
        before = asyncio.create_task(executor.run_activity(calls[0]))
        await asyncio.sleep(0)
        executor.leave_missing()
        for running in (before, asyncio.create_task(executor.run_activity(calls[1]))):
            with pytest.raises(asyncio.CancelledError):
                await running
        assert executor.obstacle("order-7") is None


async def test_an_unknown_activity_fails_with_the_nearest_names_where_the_app_says_so() -> None:
    app = App(unknown_activities="fail")

    @app.activity
    def reserve(ctx: ActivityContext) -> None: ...

    with LocalExecutor(app) as executor:
        result = await executor.run_activity(ActivityTask("i", 1, "reserv", None, "e:1"))
    assert result.failure is not None
    assert "Did you mean 'reserve'?" in result.failure.message


def test_an_unknown_workflow_is_refused_with_the_nearest_names() -> None:
    app = App()

    @app.workflow
    async def order(ctx: WorkflowContext) -> None: ...

    with LocalExecutor(app) as executor:
        executor.check_workflow("order")
        with pytest.raises(WorkflowNotRegistered, match=r"Did you mean 'order'\?"):
            executor.check_workflow("ordr")


def test_code_is_kept_between_turns_and_rebuilt_when_it_was_forgotten(rehearse: Rehearse) -> None:
    app = App()
    starts: list[str] = []

    @app.workflow
    async def order(ctx: WorkflowContext) -> None:
        starts.append(ctx.instance_id)
        for _ in range(3):
            await ctx.call_activity("step")

    rehearsal = rehearse(app, replays=False)
    rehearsal.start("order")
    rehearsal.complete(1)
    assert len(starts) == 1
    rehearsal.executor.forget("order-7")
    rehearsal.complete(2)
    assert len(starts) == 2
    rehearsal.complete(3)
    assert rehearsal.output == "null"
    assert len(starts) == 2


def test_a_kept_execution_is_not_mistaken_for_a_later_one_of_its_id(
    rehearse: Rehearse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    app = App()

    @app.workflow
    async def order(ctx: WorkflowContext, number: int) -> int:
        await ctx.call_activity("step")
        return number

    first, second = rehearse(app, replays=False), rehearse(app, replays=False)
    second.turn(ExecutionStarted("order", "2", "execution-2"))
    first.start("order", 1)
    second.executor = first.executor
    second.complete(1)
    assert second.output == "2"
    first.complete(1)
    assert first.output == "1"
