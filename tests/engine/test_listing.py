"""Pages stay right while instances come, change and go."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flowyard import App, InstanceQuery, InvalidRequest, Runtime, WorkflowContext, WorkflowStatus
from flowyard.testing import VirtualClock

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime

app = App()


@app.workflow
async def waiter(ctx: WorkflowContext) -> object:
    return await ctx.wait_for_external_event("go")


@app.workflow
async def other(ctx: WorkflowContext) -> None:
    """End at once."""


async def ids_of(runtime: Runtime, query: InstanceQuery) -> list[str]:
    return [instance.instance_id for instance in (await runtime.list(query)).instances]


async def test_each_instance_is_on_one_page_while_others_come_and_go(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        for number in range(25):
            await runtime.start(waiter, instance_id=f"it-{number:02}")
        seen: list[str] = []
        token: str | None = None
        for turn in range(100):
            page = await runtime.list(InstanceQuery(page_size=4, continuation_token=token))
            seen += [instance.instance_id for instance in page.instances]
            token = page.continuation_token
            if token is None:
                break
            # What is new is newer than the first page; what goes leaves no gap.
            await runtime.start(other, instance_id=f"new-{turn}")
            await runtime.wait(f"new-{turn}")
            if turn == 2:
                await runtime.terminate("it-24")
                await runtime.wait("it-24")
                await runtime.purge("it-24")
        assert seen == [f"it-{number:02}" for number in reversed(range(25))]


async def test_filters_hold_together(open_runtime: OpenRuntime) -> None:
    clock = VirtualClock()
    async with open_runtime(app, clock=clock) as runtime:
        for number in range(6):
            await runtime.start(waiter if number % 2 else other, instance_id=f"a_.-{number}")
            await runtime.start(waiter, instance_id=f"b_.-{number}")
            clock.advance(timedelta(days=1))
        await runtime.terminate("a_.-1")
        await asyncio.gather(*(runtime.wait(f"a_.-{number}") for number in (0, 1, 2, 4)))
        day = clock.time - timedelta(days=6)
        query = InstanceQuery(
            workflow="waiter",
            status=frozenset({WorkflowStatus.RUNNING, WorkflowStatus.TERMINATED}),
            created_from=day + timedelta(days=1),
            created_to=day + timedelta(days=5),
            instance_id_prefix="a_.",
        )
        assert await ids_of(runtime, query) == ["a_.-3", "a_.-1"]


async def test_a_token_of_somebody_else_is_refused(open_runtime: OpenRuntime) -> None:
    async with open_runtime() as runtime:
        with pytest.raises(InvalidRequest, match="'somebody'"):
            await runtime.list(InstanceQuery(continuation_token="somebody"))  # noqa: S106 - a page
