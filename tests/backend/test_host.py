"""The host for plugins: what is saved is taken up again, what is not saved has no effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flowyard import ActivityContext, App, WorkflowContext
from flowyard.backend.backlog import decode_backlog, encode_backlog
from flowyard.backend.executor import TurnResult
from flowyard.backend.history import (
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionTerminated,
    HistoryEvent,
    TaskScheduled,
    decode_events,
    encode_events,
)
from flowyard.backend.host import Host
from flowyard.backend.host_instance import HostedInstance
from flowyard.clock import SystemClock
from flowyard.errors import InstanceAlreadyExists, InstanceNotFound
from flowyard.executors.local import LocalExecutor
from flowyard.executors.remote import RemoteExecutor
from flowyard.failure import FailureDetails
from flowyard.models import ReusePolicy, StartRequest, WorkflowStatus

DISK_FULL = OSError("the disk is full")


class Folder:
    """Keeps each instance's history and backlog in a file, by lines."""

    def __init__(self, path: Path) -> None:
        self.instances: dict[str, HostedInstance] = {}
        self.is_full = False
        self._path = path
        for file in sorted(path.glob("*.json")):
            first, second, third = file.read_bytes().split(b"\n")
            (started,) = decode_events(first)
            assert isinstance(started, ExecutionStarted)
            instance = HostedInstance(file.stem, started, 0)
            instance.begin(decode_events(second), decode_backlog(third))
            self.instances[file.stem] = instance

    async def find(self, instance_id: str) -> HostedInstance:
        if instance_id not in self.instances:
            raise InstanceNotFound(instance_id)
        return self.instances[instance_id]

    async def add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
        old = self.instances.get(instance.id)
        if old is not None and not old.status.is_closed:
            raise InstanceAlreadyExists(instance.id, old.status)
        await self.save(instance, ())
        self.instances[instance.id] = instance

    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        if self.is_full:
            raise DISK_FULL
        history = instance.journal.history
        assert list(events) == history[len(history) - len(events) :]
        parts = encode_events([instance.started]), encode_events(history)
        content = b"\n".join((*parts, encode_backlog(instance.backlog)))
        (self._path / f"{instance.id}.json").write_bytes(content)


class Shop:
    """An app whose activity waits at a gate, and tells how often it was called."""

    def __init__(self) -> None:
        self.app = App()
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()
        self.calls = 0

        @self.app.activity
        async def pack(ctx: ActivityContext, what: str) -> str:
            self.calls += 1
            self.reached.set()
            await self.gate.wait()
            return f"packed {what}"

        @self.app.workflow
        async def order(ctx: WorkflowContext, what: str) -> object:
            return await ctx.call_activity(pack, input=what)

        @self.app.workflow
        async def two_orders(ctx: WorkflowContext, what: str) -> object:
            return await ctx.call_child_workflow(order, input=what, instance_id="child")

        @self.app.workflow
        async def approval(ctx: WorkflowContext) -> object:
            return await ctx.wait_for_external_event("go")

    @asynccontextmanager
    async def open(self, folder: Folder) -> AsyncIterator[Host]:
        with LocalExecutor(self.app) as executor:
            async with Host(folder, executor, SystemClock()) as host:
                yield host


async def test_an_activity_that_was_cut_off_runs_again_in_the_next_host(tmp_path: Path) -> None:
    shop, folder = Shop(), Folder(tmp_path)
    async with shop.open(folder) as host:
        await host.start(StartRequest("order", "o-1", '"a book"'))
        await shop.reached.wait()
    shop.gate.set()
    later = Folder(tmp_path)
    async with shop.open(later) as host:
        instance = await later.find("o-1")
        assert instance.status is WorkflowStatus.RUNNING
        await host.recover(instance)
        await instance.closed.wait()
    assert instance.state().output == '"packed a book"'
    assert shop.calls == 2


async def test_a_parent_learns_in_the_next_host_how_its_child_ended(tmp_path: Path) -> None:
    shop, folder = Shop(), Folder(tmp_path)
    async with shop.open(folder) as host:
        await host.start(StartRequest("two_orders", "parent", '"a pen"'))
        await shop.reached.wait()
    shop.gate.set()
    later = Folder(tmp_path)
    async with shop.open(later) as host:
        for instance in list(later.instances.values()):
            await host.recover(instance)
        parent = await later.find("parent")
        await parent.closed.wait()
    assert parent.state().output == '"packed a pen"'
    assert (await later.find("child")).state().parent_instance_id == "parent"


async def test_a_child_that_ended_before_its_parent_was_told_is_not_run_again(
    tmp_path: Path,
) -> None:
    shop, folder = Shop(), Folder(tmp_path)
    shop.gate.set()
    async with shop.open(folder) as host:
        await host.start(StartRequest("two_orders", "parent", '"a pen"'))
        before = (tmp_path / "parent.json").read_bytes()
        await (await folder.find("parent")).closed.wait()
    # As if the process had died between the child's last turn and the parent's.
    (tmp_path / "parent.json").write_bytes(before)
    later = Folder(tmp_path)
    async with shop.open(later) as host:
        for instance in list(later.instances.values()):
            await host.recover(instance)
        await (await later.find("parent")).closed.wait()
    assert shop.calls == 1


async def test_a_start_that_is_not_saved_has_no_effect(tmp_path: Path) -> None:
    shop, folder = Shop(), Folder(tmp_path)
    folder.is_full = True
    async with shop.open(folder) as host:
        with pytest.raises(OSError, match="the disk is full"):
            await host.start(StartRequest("order", "o-1", '"a book"'))
        assert folder.instances == {}
    assert shop.calls == 0
    assert Folder(tmp_path).instances == {}


async def test_an_event_that_was_not_saved_has_not_come(tmp_path: Path) -> None:
    shop, folder = Shop(), Folder(tmp_path)
    async with shop.open(folder) as host:
        await host.start(StartRequest("approval", "a-1"))
        instance = await folder.find("a-1")
        before = list(instance.journal.history)
        folder.is_full = True
        with pytest.raises(OSError, match="the disk is full"):
            await host.deliver(instance, EventRaised("go", "1"))
        assert instance.journal.history == before
        folder.is_full = False
        assert await host.deliver(instance, EventRaised("go", "2"))
    assert instance.state().output == "2"


async def test_a_termination_is_saved_and_nothing_follows_it(tmp_path: Path) -> None:
    shop, folder = Shop(), Folder(tmp_path)
    async with shop.open(folder) as host:
        await host.start(StartRequest("order", "o-1", '"a book"'))
        instance = await folder.find("o-1")
        assert await host.deliver(instance, ExecutionTerminated('"enough"'))
        assert not await host.deliver(instance, EventRaised("go", "1"))
    saved = Folder(tmp_path).instances["o-1"]
    assert any(isinstance(event, TaskScheduled) for event in saved.history)
    assert saved.state().output == '"enough"'


async def test_a_stalled_instance_is_run_again_when_a_worker_connects(tmp_path: Path) -> None:
    folder, executor = Folder(tmp_path), RemoteExecutor("orders")
    refused = TurnResult(stalled=FailureDetails("WorkflowVersionNotAvailable", "no version 'v2'"))
    completed = TurnResult([ExecutionCompleted(WorkflowStatus.COMPLETED, "1")])
    async with Host(folder, executor, SystemClock()) as host:
        with executor.queue.stream() as old:
            starting = asyncio.create_task(host.start(StartRequest("order", "o-1")))
            (await old.take()).conclude(refused)
            await starting
        instance = await folder.find("o-1")
        assert instance.status is WorkflowStatus.STALLED
        with executor.queue.stream() as new:
            (await new.take()).conclude(completed)
            await instance.closed.wait()
    assert instance.state().output == "1"


async def test_a_worker_that_connects_as_a_turn_stalls_is_asked_too(tmp_path: Path) -> None:
    folder, executor = Folder(tmp_path), RemoteExecutor("orders")
    refused = TurnResult(stalled=FailureDetails("WorkflowVersionNotAvailable", "no version 'v2'"))
    completed = TurnResult([ExecutionCompleted(WorkflowStatus.COMPLETED, "1")])
    async with Host(folder, executor, SystemClock()) as host:
        starting = asyncio.create_task(host.start(StartRequest("order", "o-1")))
        with executor.queue.stream() as old:
            (await old.take()).conclude(refused)
        with executor.queue.stream() as new:
            (await new.take()).conclude(completed)
            await starting
    assert (await folder.find("o-1")).state().output == "1"
