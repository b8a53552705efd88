"""The host for plugins: what follows from a turn happens once, whatever the store and kills do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from conformance.filed import Folder, Stored
from flowyard import ActivityContext, App, BackendUnavailable, WorkflowContext, WorkflowStatus
from flowyard.backend.executor import Turn, TurnResult
from flowyard.backend.history import ChildCreated, EventRaised, ExecutionSuspended
from flowyard.backend.host import Host
from flowyard.backend.host_instance import HostedInstance
from flowyard.clock import SystemClock
from flowyard.executors.local import LocalExecutor
from flowyard.models import ReusePolicy, StartRequest

app = App()
runs: list[str] = []


@app.activity
async def step(ctx: ActivityContext) -> str:
    runs.append(ctx.workflow_id)
    return "done"


@app.workflow
async def listener(ctx: WorkflowContext) -> object:
    received: list[object] = []
    while (word := await ctx.wait_for_external_event("word")) != "end":
        received.append(word)
    return received


@app.workflow
async def teller(ctx: WorkflowContext) -> str:
    ctx.send_event("listener", "word", data="hello")
    return "told"


@app.workflow
async def founder(ctx: WorkflowContext) -> str:
    """What it starts is detached by the executor, as workers can do it."""
    ctx.call_child_workflow(worker, instance_id="worker")
    return "founded"


@app.workflow
async def parent(ctx: WorkflowContext) -> object:
    return await ctx.call_child_workflow(worker, instance_id="worker")


@app.workflow
async def grandparent(ctx: WorkflowContext) -> object:
    first = ctx.call_child_workflow(worker, instance_id="worker-1")
    second = ctx.call_child_workflow(worker, instance_id="worker-2")
    return [await first, await second]


@app.workflow
async def worker(ctx: WorkflowContext) -> object:
    return await ctx.call_activity(step)


class Detaching(LocalExecutor):
    def run_turn(self, turn: Turn) -> TurnResult:
        result = super().run_turn(turn)
        if turn.instance_id == "founder":
            result.actions = [
                msgspec.structs.replace(action, detached=True)
                if isinstance(action, ChildCreated)
                else action
                for action in result.actions
            ]
        return result


class Moody(Folder):
    """Refuses to store some instances, or takes its time; it finds with a delay."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.refused: set[str] = set()
        self.refused_after: dict[str, int] = {}
        self.has_refused = asyncio.Event()
        self.has_stored = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.is_asked = asyncio.Event()
        self.stored_ids: list[str] = []

    async def find(self, instance_id: str) -> HostedInstance:
        await asyncio.sleep(0)
        return await super().find(instance_id)

    async def keep(self, stored: Stored) -> None:
        self.is_asked.set()
        most = self.refused_after.get(stored.id)
        is_too_much = most is not None and self.stored_ids.count(stored.id) >= most
        if stored.id in self.refused or is_too_much:
            self.has_refused.set()
            raise BackendUnavailable(f"instance '{stored.id}' could not be written")
        await self.goes_on.wait()
        await super().keep(stored)
        self.stored_ids.append(stored.id)
        self.has_stored.set()


@pytest.fixture(autouse=True)
def forgotten() -> None:
    runs.clear()


@asynccontextmanager
async def opened(folder: Folder) -> AsyncIterator[Host]:
    with Detaching(app) as executor:
        async with Host(folder, executor, SystemClock()) as host:
            for instance in list(folder.instances.values()):
                await host.recover(instance)
            yield host


async def reached(folder: Moody, times: int, instance_id: str) -> None:
    """Return once an instance was stored so many times."""
    while folder.stored_ids.count(instance_id) < times:
        folder.has_stored.clear()
        await folder.has_stored.wait()


async def words_of(folder: Folder, host: Host) -> str | None:
    """End the listener once nothing is on its way to it, and return what it has received."""
    target = await folder.find("listener")
    await host.settle(await folder.find("teller"))
    await host.deliver(target, EventRaised("word", '"end"'))
    await target.closed.wait()
    return target.state().output


async def test_an_event_is_sent_though_the_process_died_before(tmp_path: Path) -> None:
    folder = Moody(tmp_path)
    async with opened(folder) as host:
        await host.start(StartRequest("listener", "listener"))
        folder.refused.add("listener")
        await host.start(StartRequest("teller", "teller"))
        assert (await folder.find("teller")).status is WorkflowStatus.COMPLETED
    later = Folder(tmp_path)
    async with opened(later) as host:
        assert await words_of(later, host) == '["hello"]'


async def test_an_event_that_has_come_is_not_sent_again_by_the_next_process(
    tmp_path: Path,
) -> None:
    folder = Moody(tmp_path)
    async with opened(folder) as host:
        await host.start(StartRequest("listener", "listener"))
        count = folder.stored_ids.count("listener")
        await host.start(StartRequest("teller", "teller"))
        # The sender does not get to store that its event has come.
        folder.refused.add("teller")
        await reached(folder, count + 2, "listener")
    later = Folder(tmp_path)
    assert later.instances["teller"].unsent
    async with opened(later) as host:
        assert await words_of(later, host) == '["hello"]'
    assert not Folder(tmp_path).instances["teller"].unsent


@pytest.mark.parametrize("starter", ["founder", "parent"])
async def test_an_instance_is_started_though_the_process_died_before(
    starter: str, tmp_path: Path
) -> None:
    folder = Moody(tmp_path)
    folder.refused.add("worker")
    async with opened(folder) as host:
        await host.start(StartRequest(starter, starter))
    later = Folder(tmp_path)
    async with opened(later) as host:
        await host.settle(await later.find(starter))
        started = await later.find("worker")
        await started.closed.wait()
    assert runs == ["worker"]


async def test_an_instance_that_was_started_and_removed_is_not_started_again(
    tmp_path: Path,
) -> None:
    folder = Moody(tmp_path)
    async with opened(folder) as host:
        folder.refused_after["founder"] = 2
        await host.start(StartRequest("founder", "founder"))
        await reached(folder, 3, "worker")
        settling = asyncio.create_task(host.settle(await folder.find("worker")))
        # The founder could start it again: it may not be removed yet.
        await asyncio.wait([settling], timeout=0.05)
        assert not settling.done()
        folder.refused_after.clear()
        await settling
        await folder.remove(await folder.find("worker"))
    later = Folder(tmp_path)
    async with opened(later) as host:
        await host.settle(await later.find("founder"))
        assert "worker" not in later.instances
    assert runs == ["worker"]


async def test_a_child_is_not_replaced_before_its_parent_knows_its_end(tmp_path: Path) -> None:
    folder = Moody(tmp_path)
    async with opened(folder) as host:
        # It gets to store that the child was started, and not how that has ended.
        folder.refused_after["parent"] = 3
        await host.start(StartRequest("parent", "parent"))
        await folder.has_refused.wait()
        again = StartRequest("worker", "worker", reuse=ReusePolicy.REPLACE_CLOSED)
        starting = asyncio.create_task(host.start(again))
        await asyncio.wait([starting], timeout=0.05)
        assert not starting.done()
        folder.refused_after.clear()
        await starting
        instance = await folder.find("parent")
        await instance.closed.wait()
    assert instance.state().output == '"done"'


async def test_a_child_that_the_store_refuses_for_a_moment_is_started_later(tmp_path: Path) -> None:
    folder = Moody(tmp_path)
    folder.refused.add("worker")
    async with opened(folder) as host:
        await host.start(StartRequest("parent", "parent"))
        await folder.has_refused.wait()
        folder.refused.clear()
        instance = await folder.find("parent")
        await instance.closed.wait()
    assert instance.state().output == '"done"'


async def test_a_result_that_the_store_refuses_for_a_moment_is_not_forgotten(
    tmp_path: Path,
) -> None:
    folder = Moody(tmp_path)
    async with opened(folder) as host:
        folder.refused_after["worker"] = 2
        await host.start(StartRequest("worker", "worker"))
        await folder.has_refused.wait()
        folder.refused_after.clear()
        instance = await folder.find("worker")
        await instance.closed.wait()
    assert (instance.state().output, runs) == ('"done"', ["worker"])


async def test_a_start_whose_first_turn_is_refused_for_a_moment_has_come(tmp_path: Path) -> None:
    class Once(Moody):
        async def add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
            await super().add(instance, reuse)
            self.refused.add(instance.id)

    folder = Once(tmp_path)
    async with opened(folder) as host:
        await host.start(StartRequest("worker", "worker"))
        folder.refused.clear()
        await (await folder.find("worker")).closed.wait()
    assert runs == ["worker"]


async def test_what_is_not_saved_yet_is_not_shown(tmp_path: Path) -> None:
    folder = Moody(tmp_path)
    async with opened(folder) as host:
        await host.start(StartRequest("listener", "listener"))
        instance = await folder.find("listener")
        before = instance.history
        folder.goes_on.clear()
        folder.is_asked.clear()
        ending = asyncio.create_task(host.deliver(instance, EventRaised("word", '"end"')))
        await folder.is_asked.wait()
        shown = instance.state()
        assert (shown.status, shown.output) == (WorkflowStatus.RUNNING, None)
        assert instance.history == before
        folder.goes_on.set()
        assert await ending
        assert instance.state().status is WorkflowStatus.COMPLETED


async def test_a_call_that_is_cut_off_leaves_the_store_alone(tmp_path: Path) -> None:
    folder = Moody(tmp_path)
    async with opened(folder) as host:
        await host.start(StartRequest("listener", "listener"))
        instance = await folder.find("listener")
        folder.goes_on.clear()
        folder.is_asked.clear()
        raising = asyncio.create_task(host.deliver(instance, EventRaised("word", "1")))
        await folder.is_asked.wait()
        raising.cancel()
        await asyncio.wait([raising])
        folder.is_asked.clear()
        ending = asyncio.create_task(host.deliver(instance, EventRaised("word", '"end"')))
        await asyncio.wait([ending], timeout=0.05)
        # The first is still being stored, and the second waits for it.
        assert not folder.is_asked.is_set()
        folder.goes_on.set()
        await ending
    assert instance.state().output == "[1]"


async def test_children_may_end_while_their_parent_is_taken_up(tmp_path: Path) -> None:
    folder = Moody(tmp_path)
    async with opened(folder) as host:
        await host.start(StartRequest("grandparent", "grandparent"))
        folder.refused.add("grandparent")
        for child in ("worker-1", "worker-2"):
            await reached(folder, 3, child)
    later = Moody(tmp_path)
    children = [later.instances.pop(name) for name in ("worker-1", "worker-2")]
    # The children are taken up first.
    later.instances = {**{child.id: child for child in children}, **later.instances}
    async with opened(later):
        instance = await later.find("grandparent")
        await instance.closed.wait()
    assert instance.state().output == '["done","done"]'
    assert sorted(runs) == ["worker-1", "worker-2"]


async def test_a_pause_that_no_turn_has_taken_up_is_shown_by_the_next_process(
    tmp_path: Path,
) -> None:
    folder = Folder(tmp_path)
    async with opened(folder) as host:
        await host.start(StartRequest("listener", "listener"))
        instance = await folder.find("listener")
        # As where no code fits the instance.
        instance.waiting.append(ExecutionSuspended())
        await folder.save(instance, ())
    assert Folder(tmp_path).instances["listener"].status is WorkflowStatus.SUSPENDED
