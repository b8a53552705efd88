"""What follows from a result begins only when the result is on disk; nothing stays behind."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flowyard import ActivityContext, App, WorkflowContext, WorkflowStatus
from flowyard.backend.history import (
    ChildCreated,
    EventRaised,
    ExecutionStarted,
    HistoryEvent,
    TaskCompleted,
    TaskScheduled,
    decode_events,
)
from flowyard.testing import VirtualClock, WorkflowKit

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime, Query

HOUR = timedelta(hours=1)


def events_on_disk(database: Path, instance_id: str) -> list[HistoryEvent]:
    """Read the history of an instance over another connection, as another process would."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT events FROM history JOIN instances USING (run) WHERE id = ? ORDER BY turn",
            (instance_id,),
        ).fetchall()
    return [event for (blob,) in rows for event in decode_events(blob)]


async def test_a_result_is_on_disk_before_the_next_activity_begins(
    open_runtime: OpenRuntime, database: Path
) -> None:
    app = App()
    seen: list[list[HistoryEvent]] = []

    @app.activity
    async def look(ctx: ActivityContext, number: int) -> int:
        seen.append(events_on_disk(database, ctx.workflow_id))
        return number

    @app.workflow
    async def looking(ctx: WorkflowContext) -> None:
        for number in range(5):
            await ctx.call_activity(look, input=number)

    async with open_runtime(app) as runtime:
        await asyncio.gather(
            *(runtime.start(looking, instance_id=f"it-{number}") for number in range(10))
        )
        for number in range(10):
            await runtime.wait(f"it-{number}")
    assert len(seen) == 50
    for history in seen:
        scheduled = [event.input for event in history if isinstance(event, TaskScheduled)]
        completed = [event.output for event in history if isinstance(event, TaskCompleted)]
        assert scheduled == [str(number) for number in range(len(scheduled))]
        assert completed == scheduled[:-1], "all but the one that is looking"


async def test_what_an_activity_is_called_for_is_on_disk_before_it_begins(
    open_runtime: OpenRuntime, database: Path
) -> None:
    app = App()
    seen: dict[str, list[HistoryEvent]] = {}

    @app.activity
    async def look(ctx: ActivityContext) -> None:
        seen[ctx.workflow_id] = events_on_disk(database, ctx.workflow_id)
        seen[f"parent of {ctx.workflow_id}"] = events_on_disk(database, "it")

    @app.workflow
    async def child(ctx: WorkflowContext) -> None:
        await ctx.call_activity(look)

    @app.workflow
    async def parent(ctx: WorkflowContext) -> None:
        await ctx.wait_for_external_event("go")
        await ctx.call_child_workflow(child, instance_id="child")

    async with open_runtime(app) as runtime:
        await runtime.start(parent, instance_id="it")
        await runtime.raise_event("it", "go")
        await runtime.wait("it")
    assert any(isinstance(event, ExecutionStarted) for event in seen["child"])
    assert any(isinstance(event, TaskScheduled) for event in seen["child"])
    assert any(isinstance(event, EventRaised) for event in seen["parent of child"])
    assert any(isinstance(event, ChildCreated) for event in seen["parent of child"])


async def test_every_commit_waits_for_the_disk_unless_told_otherwise(
    open_runtime: OpenRuntime,
) -> None:
    full = 2
    async with open_runtime() as runtime:
        store = runtime.component()._store  # type: ignore[attr-defined]
        connection = store._writer._transactions._connection
        synchronous = connection.execute("PRAGMA synchronous").fetchone()
        assert synchronous == (full,)
        journal = connection.execute("PRAGMA journal_mode").fetchone()
        assert journal == ("wal",)


async def test_an_event_for_a_closed_instance_leaves_nothing_behind(
    open_runtime: OpenRuntime, query: Query
) -> None:
    app = App()

    @app.workflow
    async def messenger(ctx: WorkflowContext, to: str) -> None:
        ctx.send_event(to, "go", data="too late")

    @app.workflow
    async def waiter(ctx: WorkflowContext) -> object:
        return await ctx.wait_for_external_event("go")

    async with open_runtime(app) as runtime:
        await runtime.start(waiter, instance_id="closed")
        await runtime.raise_event("closed", "go", "in time")
        await runtime.wait("closed")
        for to in ("closed", "nobody"):
            await runtime.start(messenger, input=to, instance_id=f"to-{to}")
            await runtime.wait(f"to-{to}")
        assert query("SELECT * FROM messages") == []
        await runtime.start(waiter, instance_id="closed")
        await runtime.raise_event("closed", "go", "for the next")
        assert (await runtime.wait("closed")).result() == "for the next"


async def test_what_the_last_turn_of_an_execution_asks_for_is_done(
    open_runtime: OpenRuntime,
) -> None:
    app = App()

    @app.workflow
    async def child(ctx: WorkflowContext) -> str:
        return "was started"

    @app.workflow
    async def receiver(ctx: WorkflowContext) -> object:
        return await ctx.wait_for_external_event("go")

    @app.workflow
    async def renewed(ctx: WorkflowContext, round_: int) -> int:
        if round_ == 0:
            ctx.send_event("receiver", "go", data="was told")
            ctx.call_child_workflow(child, instance_id="child")
            ctx.continue_as_new(1)
        return round_

    async with open_runtime(app) as runtime:
        await runtime.start(receiver, instance_id="receiver")
        await runtime.start(renewed, input=0, instance_id="it")
        assert (await runtime.wait("it")).result() == 1
        assert (await runtime.wait("receiver")).result() == "was told"
        assert (await runtime.wait("child")).result() == "was started"


@pytest.mark.parametrize("cached_instances", ["0", "1000"])
async def test_a_child_of_an_earlier_execution_disturbs_no_timer_of_the_next(
    open_runtime: OpenRuntime, query: Query, cached_instances: str
) -> None:
    app = App()

    @app.workflow
    async def child(ctx: WorkflowContext) -> None:
        await ctx.wait_for_external_event("go")

    @app.workflow
    async def renewed(ctx: WorkflowContext, round_: int) -> str:
        if round_ == 0:
            ctx.call_child_workflow(child, instance_id="child")
            ctx.continue_as_new(1)
            return "renewed"
        await ctx.create_timer(HOUR)
        return "on time"

    clock = VirtualClock()
    async with open_runtime(app, clock=clock, cachedInstances=cached_instances) as runtime:
        kit = WorkflowKit(app, runtime, clock)
        await runtime.start(renewed, input=0, instance_id="it")
        await kit.settle()
        await runtime.raise_event("child", "go")
        await runtime.wait("child")
        await kit.settle()
        due = (clock.now() + HOUR // timedelta(microseconds=1),)
        assert query("SELECT wake_at FROM instances WHERE id = 'it'") == [due]
        await kit.advance(HOUR)
        assert (await runtime.get("it")).status is WorkflowStatus.COMPLETED


async def test_purging_removes_every_row_of_an_instance_and_its_children(
    open_runtime: OpenRuntime, query: Query
) -> None:
    app = App()

    @app.workflow
    async def leaf(ctx: WorkflowContext) -> None:
        await ctx.create_timer(timedelta(0))

    @app.workflow
    async def tree(ctx: WorkflowContext, depth: int) -> None:
        if depth:
            await ctx.call_child_workflow(tree, input=depth - 1)
        await ctx.call_child_workflow(leaf)

    async with open_runtime(app) as runtime:
        await runtime.start(leaf, instance_id="stays")
        await runtime.start(tree, input=2, instance_id="goes")
        await runtime.wait("stays")
        await runtime.wait("goes")
        assert await runtime.purge("goes") == 6
        assert query("SELECT id FROM instances") == [("stays",)]
        assert query("SELECT DISTINCT run FROM history") == query("SELECT run FROM instances")


async def test_replacing_an_instance_removes_what_it_was(
    open_runtime: OpenRuntime, query: Query
) -> None:
    app = App()

    @app.workflow
    async def echo(ctx: WorkflowContext, value: int) -> int:
        await ctx.create_timer(timedelta(0))
        return value

    async with open_runtime(app) as runtime:
        for value in range(5):
            await runtime.start(echo, input=value, instance_id="it")
            assert (await runtime.wait("it")).result() == value
        assert query("SELECT count(DISTINCT run) FROM history") == [(1,)]
        created = [
            event for event in await runtime.history("it") if isinstance(event, ExecutionStarted)
        ]
        assert [event.input for event in created] == ["4"]
