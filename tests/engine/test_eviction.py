"""Idle instances leave memory, and nobody notices."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flowyard import App, InstanceAlreadyExists, ReusePolicy, Runtime, WorkflowContext
from flowyard.testing import VirtualClock, WorkflowKit

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime


app = App()


@app.workflow
async def collector(ctx: WorkflowContext, count: int) -> list[object]:
    return [await ctx.wait_for_external_event("item") for _ in range(count)]


@app.workflow
async def sleeper(ctx: WorkflowContext) -> str:
    await ctx.create_timer(timedelta(hours=1))
    return "awake"


@app.workflow
async def parent(ctx: WorkflowContext, number: int) -> list[object]:
    child = ctx.call_child_workflow(collector, input=1, instance_id=f"child-{number}")
    received = [await ctx.wait_for_external_event("item") for _ in range(3)]
    return [await child, *received]


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the file as another program might: what is written meanwhile waits."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@pytest.mark.parametrize("cached_instances", ["0", "1"])
async def test_events_for_instances_that_come_and_go_arrive_once_and_in_order(
    open_runtime: OpenRuntime, cached_instances: str
) -> None:
    async with (
        open_runtime(app, cachedInstances=cached_instances) as runtime,
        open_runtime() as visitor,
    ):
        ids = [f"it-{number}" for number in range(5)]
        await asyncio.gather(
            *(runtime.start(collector, input=40, instance_id=child_id) for child_id in ids)
        )

        async def raise_items(by: Runtime, instance_id: str, name: str) -> None:
            for number in range(20):
                assert await by.raise_event(instance_id, "item", [name, number])

        await asyncio.gather(
            *(raise_items(runtime, child_id, "here") for child_id in ids),
            *(raise_items(visitor, child_id, "there") for child_id in ids),
        )
        for child_id in ids:
            received = (await runtime.wait(child_id)).result(list[tuple[str, int]])
            for name in ("here", "there"):
                assert [number for by, number in received if by == name] == list(range(20))


@pytest.mark.parametrize("cached_instances", ["0", "1"])
async def test_children_that_end_while_their_parent_is_being_read_are_heard(
    open_runtime: OpenRuntime, cached_instances: str
) -> None:
    async with open_runtime(app, cachedInstances=cached_instances) as runtime:
        numbers = range(20)
        for number in numbers:
            await runtime.start(parent, input=number, instance_id=f"it-{number}")
        await asyncio.gather(
            *(runtime.raise_event(f"it-{number}", "item", 1) for number in numbers),
            *(runtime.raise_event(f"child-{number}", "item", "child") for number in numbers),
            *(runtime.raise_event(f"it-{number}", "item", 2) for number in numbers),
            *(runtime.raise_event(f"it-{number}", "item", 3) for number in numbers),
        )
        for number in numbers:
            assert (await runtime.wait(f"it-{number}")).result() == [["child"], 1, 2, 3]


async def test_a_start_that_is_refused_takes_nothing_from_the_instance_that_has_the_id(
    open_runtime: OpenRuntime, database: Path
) -> None:
    clock = VirtualClock()
    async with open_runtime(app, clock=clock, cachedInstances="0") as runtime:
        await runtime.start(sleeper, instance_id="sleeps")
        await runtime.start(collector, input=1, instance_id="collects")
        await WorkflowKit(app, runtime, clock).settle()
        with held(database):
            starting = [
                asyncio.create_task(runtime.start(sleeper, instance_id=workflow))
                for workflow in ("sleeps", "collects")
            ]
            await asyncio.sleep(0)
            # All of it comes while it is not yet known that the starts are refused.
            raising = asyncio.create_task(runtime.raise_event("collects", "item", "kept"))
            waiting = asyncio.create_task(runtime.wait("collects"))
            await asyncio.sleep(0)
            clock.advance(timedelta(hours=1))
            await asyncio.sleep(0)
        refused = await asyncio.gather(*starting, return_exceptions=True)
        assert [type(failed) for failed in refused] == [InstanceAlreadyExists] * 2
        assert await raising is True
        assert (await waiting).result() == ["kept"]
        assert (await runtime.wait("sleeps")).result() == "awake"


async def test_who_waits_for_a_closed_instance_is_answered_while_a_start_over_it_is_refused(
    open_runtime: OpenRuntime, database: Path
) -> None:
    async with open_runtime(app) as runtime:
        await runtime.start(collector, input=0, instance_id="it")
        closed = await runtime.wait("it")
        with held(database):
            starting = asyncio.create_task(
                runtime.start(collector, input=1, instance_id="it", reuse=ReusePolicy.REJECT)
            )
            await asyncio.sleep(0)
            waiting = asyncio.create_task(runtime.wait("it"))
            await asyncio.sleep(0)
        with pytest.raises(InstanceAlreadyExists):
            await starting
        assert await waiting == closed
