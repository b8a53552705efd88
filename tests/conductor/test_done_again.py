"""Children that a process has begun which died before it could say so are not begun again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
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
from flowyard.backend.history import ChildCreated, HistoryEvent
from flowyard.config import ComponentSpec
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.outbox import Outbox

PATIENCE = timedelta(seconds=60)
REFUSED = "refused"
ran: list[str] = []
app = App()


@app.activity
async def work(_: ActivityContext, name: str) -> str:
    ran.append(name)
    return name


@app.workflow
async def child(ctx: WorkflowContext, name: str) -> str:
    return await ctx.call_activity(work, input=name)


@app.workflow
async def parent(ctx: WorkflowContext, names: list[str]) -> list[str]:
    """Have as many children with one ID, which are asked for at once."""
    children = [
        ctx.call_child_workflow(child, input=name, instance_id=f"{ctx.instance_id}.child")
        for name in names
    ]
    outcomes: list[str] = []
    for key in children:
        try:
            outcomes.append(await key)
        except TaskFailedError:
            outcomes.append(REFUSED)
    return outcomes


@pytest.fixture
def spec(conductor_server: str) -> ComponentSpec:
    metadata: dict[str, object] = {
        "url": f"{conductor_server}/api",
        "taskQueue": f"again.{uuid4().hex[:8]}",
        "leaseSeconds": 3,
    }
    return ComponentSpec("orders", "workflow.conductor", metadata=metadata)


async def left_behind(
    spec: ComponentSpec, monkeypatch: pytest.MonkeyPatch, names: Sequence[str]
) -> str:
    """Return a parent whose process died when its children had begun, and before it said so."""
    has_begun = asyncio.Event()
    perform = Outbox.perform

    async def die_after(outbox: Outbox, instance: HostedInstance) -> list[HistoryEvent]:
        is_parent = any(isinstance(action, ChildCreated) for action in instance.pending)
        came = await perform(outbox, instance)
        if is_parent:
            has_begun.set()
            await asyncio.Event().wait()
        return came

    with monkeypatch.context() as patched:
        patched.setattr(Outbox, "perform", die_after)
        async with Runtime.open([spec], app) as runtime:
            instance_id = await runtime.start(parent, list(names))
            async with asyncio.timeout(PATIENCE.total_seconds()):
                await has_begun.wait()
            await runtime.wait(f"{instance_id}.child", timeout=PATIENCE)
    return instance_id


async def test_of_two_children_with_one_id_the_second_is_refused_however_often(
    spec: ComponentSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = uuid4().hex, uuid4().hex
    instance_id = await left_behind(spec, monkeypatch, [first, second])
    async with Runtime.open([spec], app) as runtime:
        state = await runtime.wait(instance_id, timeout=PATIENCE)
    assert state.result() == [first, REFUSED]
    assert (ran.count(first), ran.count(second)) == (1, 0)


async def test_a_child_that_was_purged_meanwhile_is_not_begun_again(
    spec: ComponentSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = uuid4().hex
    instance_id = await left_behind(spec, monkeypatch, [name])
    async with Runtime.open([spec]) as runtime:
        await runtime.purge(f"{instance_id}.child")
    async with Runtime.open([spec], app) as runtime:
        state = await runtime.wait(instance_id, timeout=PATIENCE)
        assert state.result() == [name]
        assert ran.count(name) == 1
        with pytest.raises(InstanceNotFound):
            await runtime.get(f"{instance_id}.child")


async def test_a_child_whose_id_is_anothers_meanwhile_is_not_begun_again(
    spec: ComponentSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, other = uuid4().hex, uuid4().hex
    instance_id = await left_behind(spec, monkeypatch, [name])
    async with Runtime.open([spec], app) as runtime:
        await runtime.start(child, other, instance_id=f"{instance_id}.child")
        state = await runtime.wait(instance_id, timeout=PATIENCE)
        assert state.result() == [name]
        assert (await runtime.wait(f"{instance_id}.child", timeout=PATIENCE)).result() == other
    assert (ran.count(name), ran.count(other)) == (1, 1)
