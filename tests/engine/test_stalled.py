"""An instance whose code does not fit its history waits, and loses nothing meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.scripted import ScriptedExecutor, complete, inputs_of, open_scripted
from flowyard import (
    ActivityContext,
    App,
    BackendUnavailable,
    Task,
    WorkflowContext,
    WorkflowStatus,
    when_all,
)
from flowyard.backend.history import EventRaised

if TYPE_CHECKING:
    from pathlib import Path

    from engine.conftest import OpenRuntime, Query


class Orders:
    """An app whose workflow `order` is as it was, or as somebody has broken it."""

    def __init__(self) -> None:
        self.began: dict[str, asyncio.Event] = {}
        self.goes_on = asyncio.Event()
        self.runs: list[str] = []

    def app(self, *, is_broken: bool) -> App:
        app = App()
        for name in ("pack", "bill"):
            self.began[name] = asyncio.Event()
            self._add_activity(app, name)

        @app.workflow(name="order")
        async def order(ctx: WorkflowContext) -> list[object]:
            if is_broken:
                await ctx.create_timer(timedelta(days=1))
            done = await when_all(
                [ctx.call_activity("pack"), ctx.call_activity("bill")],
            )
            return [*done, await ctx.wait_for_external_event("go")]

        return app

    def _add_activity(self, app: App, name: str) -> None:
        @app.activity(name=name)
        async def run(ctx: ActivityContext) -> str:
            self.runs.append(name)
            self.began[name].set()
            if name == "bill":
                await self.goes_on.wait()
            return f"{name} {self.runs.count(name)}"


async def test_other_code_stalls_an_instance_and_fitting_code_completes_it(
    open_runtime: OpenRuntime,
) -> None:
    orders = Orders()
    orders.goes_on.set()
    async with open_runtime(orders.app(is_broken=False)) as runtime:
        await runtime.start("order", instance_id="it")
        await runtime.raise_event("it", "other")
    async with open_runtime(orders.app(is_broken=True)) as runtime:
        await runtime.raise_event("it", "go", "raised while stalled")
        state = await runtime.get("it")
        assert state.status is WorkflowStatus.STALLED
        assert state.detail is not None
        assert "'pack'" in state.detail
        assert "created a timer" in state.detail
        assert state.failure is not None
        assert state.failure.error_type == "NonDeterminismError"
    async with open_runtime(orders.app(is_broken=False)) as runtime:
        state = await runtime.wait("it")
        assert state.result(list[str]) == ["pack 1", "bill 1", "raised while stalled"]
        assert (state.detail, state.failure) == (None, None)


async def test_a_result_that_comes_while_stalled_is_kept_and_not_made_again(
    open_runtime: OpenRuntime, query: Query
) -> None:
    orders = Orders()
    async with open_runtime(orders.app(is_broken=False)) as runtime:
        await runtime.start("order", instance_id="it")
        await orders.began["bill"].wait()
    assert orders.runs.count("bill") == 1
    async with open_runtime(orders.app(is_broken=True)) as runtime:
        await orders.began["bill"].wait()
        await runtime.raise_event("it", "go", "raised while stalled")
        assert (await runtime.get("it")).status is WorkflowStatus.STALLED
        waiting = query("SELECT count(*) FROM messages")
        orders.goes_on.set()
        while query("SELECT count(*) FROM messages") == waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await runtime.raise_event("it", "other")
        assert orders.runs.count("bill") == 2
    async with open_runtime(orders.app(is_broken=False)) as runtime:
        result = (await runtime.wait("it")).result(list[str])
    assert result[1:] == ["bill 2", "raised while stalled"]
    assert orders.runs.count("bill") == 2


async def test_a_stalled_instance_can_be_terminated_and_purged(open_runtime: OpenRuntime) -> None:
    orders = Orders()
    orders.goes_on.set()
    async with open_runtime(orders.app(is_broken=False)) as runtime:
        await runtime.start("order", instance_id="it")
        await runtime.raise_event("it", "other")
    async with open_runtime(orders.app(is_broken=True)) as runtime:
        await runtime.raise_event("it", "go")
        assert (await runtime.get("it")).status is WorkflowStatus.STALLED
        assert await runtime.terminate("it", output="given up")
        state = await runtime.get("it")
        assert (state.status, state.output) == (WorkflowStatus.TERMINATED, '"given up"')
        assert await runtime.purge("it") == 1


async def test_what_another_process_asks_of_a_stalled_instance_is_kept(
    open_runtime: OpenRuntime,
) -> None:
    orders = Orders()
    orders.goes_on.set()
    async with open_runtime(orders.app(is_broken=False)) as runtime:
        await runtime.start("order", instance_id="it")
        await runtime.raise_event("it", "other")
    async with (
        open_runtime(orders.app(is_broken=True)) as runtime,
        open_runtime() as visitor,
    ):
        await runtime.raise_event("it", "unheard")
        assert await visitor.pause("it")
        assert await visitor.raise_event("it", "go", "from the visitor")
        assert (await visitor.get("it")).status is WorkflowStatus.STALLED
    async with open_runtime(orders.app(is_broken=False)) as runtime:
        while (await runtime.get("it")).status is not WorkflowStatus.SUSPENDED:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await runtime.resume("it")
        assert (await runtime.wait("it")).result(list[str])[2] == "from the visitor"


async def test_a_timer_and_a_child_that_are_due_while_stalled_leave_one_message_each(
    open_runtime: OpenRuntime, query: Query
) -> None:
    def make_app(*, is_broken: bool) -> App:
        app = App()

        @app.workflow
        async def child(ctx: WorkflowContext) -> str:
            return str(await ctx.wait_for_external_event("go"))

        @app.workflow
        async def parent(ctx: WorkflowContext) -> list[object]:
            if is_broken:
                await ctx.wait_for_external_event("what was not waited for")
            both: list[Task[Any]] = [
                ctx.call_child_workflow(child, instance_id="child"),
                ctx.create_timer(timedelta(milliseconds=1)),
            ]
            return [*await when_all(both), await ctx.wait_for_external_event("go")]

        return app

    async with open_runtime(make_app(is_broken=False)) as runtime:
        await runtime.start("parent", instance_id="it")
    async with open_runtime(make_app(is_broken=True)) as runtime:
        await runtime.raise_event("child", "go", "from the child")
        await runtime.wait("child")
        for number in range(5):
            await runtime.raise_event("it", "other", number)
        assert (await runtime.get("it")).status is WorkflowStatus.STALLED
        # Five events and the child's result; the timer fires again.
        assert query("SELECT count(*) FROM messages") == [(6,)]
    async with open_runtime(make_app(is_broken=False)) as runtime:
        await runtime.raise_event("it", "go", "at last")
        assert (await runtime.wait("it")).result() == ["from the child", None, "at last"]


async def test_what_is_refused_with_a_stall_that_cannot_be_written_does_not_come_later(
    database: Path, query: Query
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        await runtime.start("any", instance_id="it")
        query(
            "CREATE TRIGGER trouble BEFORE UPDATE ON instances WHEN new.status = 'STALLED' "
            "BEGIN SELECT RAISE(FAIL, 'no room'); END"
        )
        (await executor.turn("it")).stall()
        raising = []
        for number in range(100):
            raising.append(asyncio.create_task(runtime.raise_event("it", "go", number)))
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*raising, return_exceptions=True)
        query("DROP TRIGGER trouble")
        ending = asyncio.create_task(runtime.raise_event("it", "go", "end"))
        has_ended = False
        while not has_ended:
            turn = await executor.turn("it")
            events = [*turn.turn.past, *turn.turn.new]
            has_ended = '"end"' in inputs_of(events, EventRaised)
            turn.decide(*[complete()] if has_ended else [])
        await ending
        await runtime.wait("it")
        assert isinstance(outcomes[0], BackendUnavailable)
        kept = [str(number) for number, outcome in enumerate(outcomes) if outcome is True]
        assert inputs_of(await runtime.history("it"), EventRaised) == [*kept, '"end"']
