"""Children of hosted workflows: which of two gets an ID, and what is recorded of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from uuid import uuid4

import pytest

from flowyard import (
    ActivityContext,
    App,
    InstanceNotFound,
    Runtime,
    TaskFailedError,
    WorkflowContext,
)
from flowyard.backend.history import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    EventSent,
    ExecutionCompleted,
    HistoryEvent,
)
from flowyard.config import ComponentSpec
from temporal.waiting import until

ENDINGS = 10
PAIRS = 20
app = App()
refused: dict[str, Future[None]] = {}
"""When the second child of an instance of `twins` was refused."""


@app.workflow
async def echo(_: WorkflowContext, value: int) -> int:
    return value


@app.workflow
async def waiting(ctx: WorkflowContext) -> None:
    await ctx.wait_for_external_event("go")


@app.workflow
async def pair(ctx: WorkflowContext) -> list[int | str]:
    """Ask for two children with one ID in the same turn."""
    name = f"{ctx.instance_id}.child"
    children = [ctx.call_child_workflow(echo, input=value, instance_id=name) for value in (1, 2)]
    outcomes: list[int | str] = []
    for child in children:
        try:
            outcomes.append(await child)
        except TaskFailedError as error:
            outcomes.append(error.details.message)
    return outcomes


@app.workflow
async def listening(ctx: WorkflowContext) -> list[object]:
    return [await ctx.wait_for_external_event("go") for _ in range(2)]


@app.workflow
async def telling(ctx: WorkflowContext) -> object:
    """Send events to a child in the turn that starts it."""
    name = f"{ctx.instance_id}.child"
    child = ctx.call_child_workflow(listening, instance_id=name)
    for value in (1, 2):
        ctx.send_event(name, "go", data=value)
    return await child


@app.activity
def note(ctx: ActivityContext) -> None:
    refused[ctx.workflow_id].set_result(None)


@app.workflow
async def twins(ctx: WorkflowContext) -> str:
    """Note that the second of two children that wait was refused; end with the first."""
    name = f"{ctx.instance_id}.child"
    first, second = [ctx.call_child_workflow(waiting, instance_id=name) for _ in range(2)]
    try:
        await second
    except TaskFailedError:
        await ctx.call_activity(note)
    await first
    return "ended"


@app.workflow
async def ending(ctx: WorkflowContext) -> str:
    """End as soon as the second of two children with one ID was refused."""
    name = f"{ctx.instance_id}.child"
    _, second = [ctx.call_child_workflow(echo, input=1, instance_id=name) for _ in range(2)]
    try:
        return str(await second)
    except TaskFailedError as error:
        return error.details.message


@app.workflow
async def guardian(ctx: WorkflowContext, child: str) -> str:
    """Return why a child has failed."""
    try:
        await ctx.call_child_workflow(waiting, instance_id=child)
    except TaskFailedError as error:
        return error.details.message
    raise AssertionError("the child cannot complete")


@pytest.fixture(params=["1000", "0"], ids=["in memory", "replayed"])
async def runtime(temporal_server: str, request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    metadata = {
        "hostPort": temporal_server,
        "taskQueue": uuid4().hex,
        "maxCachedWorkflows": request.param,
    }
    spec = ComponentSpec("orders", "workflow.temporal", metadata=metadata)
    async with Runtime.open([spec], app) as runtime:
        yield runtime


async def test_of_two_children_with_one_id_the_first_one_runs(runtime: Runtime) -> None:
    for instance_id in [await runtime.start(pair) for _ in range(PAIRS)]:
        first, refusal = (await runtime.wait(instance_id)).result(list[int | str])
        assert first == 1
        assert f"{instance_id}.child" in str(refusal)
        history = await runtime.history(instance_id)
        assert [event.id for event in history if isinstance(event, ChildCreated)] == [1, 2]
        assert [event.task_id for event in history if isinstance(event, ChildCompleted)] == [1]
        assert failures_in(history) == {2: refusal}


async def test_an_event_for_a_child_is_sent_after_its_start_and_stands_where_it_was_decided(
    runtime: Runtime,
) -> None:
    for instance_id in [await runtime.start(telling) for _ in range(PAIRS)]:
        assert (await runtime.wait(instance_id)).result() == [1, 2]
        history = await runtime.history(instance_id)
        decided = [event for event in history if isinstance(event, (ChildCreated, EventSent))]
        assert [event.id for event in decided] == [1, 2, 3]
        told = [event.input for event in decided if isinstance(event, EventSent)]
        assert told == ["1", "2"]


async def test_what_a_parent_was_told_as_it_ended_stands_before_its_end(runtime: Runtime) -> None:
    for instance_id in [await runtime.start(ending) for _ in range(ENDINGS)]:
        told = (await runtime.wait(instance_id)).result()
        history = await runtime.history(instance_id)
        assert isinstance(history[-1], ExecutionCompleted)
        assert failures_in(history) == {2: told}


async def test_a_child_is_refused_for_one_that_is_there(runtime: Runtime) -> None:
    async def raise_once_refused(_: int) -> str | None:
        instance_id = uuid4().hex
        refused[instance_id] = Future()
        await runtime.start(twins, instance_id=instance_id)
        await asyncio.wrap_future(refused[instance_id])
        assert await runtime.raise_event(f"{instance_id}.child", "go")
        return (await runtime.wait(instance_id)).result(str)

    # Many at a time: an idle server has started the first before anybody hears of the second.
    ends = await asyncio.gather(*map(raise_once_refused, range(5 * PAIRS)))
    assert set(ends) == {"ended"}


async def test_the_history_tells_of_a_refused_child_what_its_parent_was_told(
    runtime: Runtime,
) -> None:
    holder = await runtime.start(waiting)
    instance_id = await runtime.start(guardian, holder)
    told = (await runtime.wait(instance_id)).result(str)
    assert failures_in(await runtime.history(instance_id)) == {1: told}
    await runtime.terminate(holder)


async def test_the_history_tells_of_a_terminated_child_what_its_parent_was_told(
    runtime: Runtime,
) -> None:
    child = uuid4().hex
    instance_id = await runtime.start(guardian, child)

    async def is_there() -> bool:
        try:
            await runtime.get(child)
        except InstanceNotFound:
            return False
        return True

    await until(is_there, bool)
    await runtime.terminate(child)
    told = (await runtime.wait(instance_id)).result(str)
    assert failures_in(await runtime.history(instance_id)) == {1: told}


def failures_in(history: Sequence[HistoryEvent]) -> dict[int, str]:
    """Return the messages of failed children, by the actions that asked for them."""
    return {
        event.task_id: event.failure.message for event in history if isinstance(event, ChildFailed)
    }
