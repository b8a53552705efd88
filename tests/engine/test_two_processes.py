"""Two processes on one file: one runs the turns, both can do everything else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.programs.steps import make_app, traces
from flowyard import InstanceNotFound, InstanceQuery, Runtime, WorkflowStatus

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime, Query
    from program import Program, StartProgram

TEN_SECONDS = timedelta(seconds=10)


@asynccontextmanager
async def owned_by_another(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path, lease: float = 5.0
) -> AsyncIterator[tuple[Program, Runtime]]:
    """Another process runs the turns; yield it, and a runtime here that could run them too."""
    owner = start_program("working", database, lease)
    await owner.says("owner")
    async with open_runtime(make_app(database.parent)) as runtime:
        yield owner, runtime


async def test_beside_the_owner_every_verb_works(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path
) -> None:
    async with owned_by_another(open_runtime, start_program, database) as (owner, runtime):
        await runtime.start("chain", input=2, instance_id="chain")
        assert (await runtime.wait("chain")).result() == 2
        assert {int(trace[0]) for trace in traces(database.parent)} == {owner.process.pid}

        await runtime.start("waiter", instance_id="it")
        assert await runtime.pause("it") is True
        assert (await runtime.get("it")).status is WorkflowStatus.SUSPENDED
        assert await runtime.pause("it") is False
        assert await runtime.raise_event("it", "go", "kept while paused") is True
        assert await runtime.resume("it") is True
        assert (await runtime.wait("it")).result() == "kept while paused"
        assert await runtime.resume("it") is False
        assert await runtime.raise_event("it", "go", "too late") is False

        await runtime.start("parent", input="child", instance_id="parent")
        children = InstanceQuery(instance_id_prefix="child")
        while not (await runtime.list(children)).instances:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await runtime.terminate("parent", output="over") is True
        assert (await runtime.wait("parent")).output == '"over"'
        assert (await runtime.wait("child")).status is WorkflowStatus.TERMINATED
        assert await runtime.terminate("parent") is False

        closed = frozenset({WorkflowStatus.TERMINATED})
        page = await runtime.list(InstanceQuery(status=closed))
        assert {instance.instance_id for instance in page.instances} == {"parent", "child"}
        assert len(await runtime.history("chain")) > 2
        assert await runtime.purge("parent") == 2
        for verb in (runtime.get, runtime.pause, runtime.terminate, runtime.purge, runtime.wait):
            with pytest.raises(InstanceNotFound):
                await verb("child")


async def test_when_the_owner_is_killed_the_other_finishes_its_work(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path
) -> None:
    async with owned_by_another(open_runtime, start_program, database) as (owner, runtime):
        await runtime.start("gated", input="g", instance_id="cut-off")
        await runtime.start("waiter", instance_id="waits")
        await runtime.start("sleeper", input=0.5, instance_id="sleeps")
        while not traces(database.parent):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)
        await runtime.raise_event("waits", "other", "seen by the first")
        (database.parent / "open-g").touch()
        owner.kill()
        await runtime.raise_event("waits", "go", "seen by the second")
        # The default lease and everything else are as a user has them.
        waited = [
            runtime.wait(instance_id, timeout=TEN_SECONDS)
            for instance_id in ("waits", "sleeps", "cut-off")
        ]
        first, second, third = await asyncio.gather(*waited)
        assert first.result() == "seen by the second"
        assert second.result() == "awake"
        assert owner.process.pid not in third.result(list[int])[1:]


async def test_an_owner_that_hangs_is_replaced_within_ten_seconds(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path
) -> None:
    async with owned_by_another(open_runtime, start_program, database) as (owner, runtime):
        await runtime.start("waiter", instance_id="it")
        await runtime.pause("it")
        owner.stop()
        await runtime.raise_event("it", "go", "after")
        resuming = asyncio.create_task(runtime.resume("it"))
        assert (await runtime.wait("it", timeout=TEN_SECONDS)).result() == "after"
        assert await resuming is True
        owner.go_on()


async def test_when_the_owner_closes_the_other_takes_over_without_waiting_for_the_lease(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path
) -> None:
    async with owned_by_another(open_runtime, start_program, database, 60) as (owner, runtime):
        await runtime.start("waiter", instance_id="it")
        await runtime.pause("it")
        owner.told()
        await owner.ends_well()
        await runtime.raise_event("it", "go", "after")
        assert await runtime.resume("it") is True
        assert (await runtime.wait("it", timeout=TEN_SECONDS)).result() == "after"


async def test_an_owner_is_left_alone_while_it_lives(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path
) -> None:
    async with owned_by_another(open_runtime, start_program, database, 0.2) as (owner, runtime):
        # Several leases long: it is renewed although nothing else happens.
        end = time.monotonic() + 1
        while time.monotonic() < end:
            await runtime.start("chain", input=1, instance_id="it")
            await runtime.wait("it")
        assert {int(trace[0]) for trace in traces(database.parent)} == {owner.process.pid}


async def test_of_many_that_open_a_new_file_at_once_exactly_one_becomes_the_owner(
    start_program: StartProgram, query: Query, database: Path
) -> None:
    programs = [start_program("working", database, 60) for _ in range(6)]
    for program in programs:
        await program.says("open")
    assert query("SELECT fence FROM lease") == [(1,)], "it grows with every change of owner"
    for program in programs:
        program.told()
    for program in programs:
        await program.ends_well()
        assert program.lines[-1] == "closed"


async def test_no_database_is_ever_locked_however_many_processes_use_it(
    start_program: StartProgram, database: Path
) -> None:
    programs = [
        start_program("hammering", database, role, number, 40)
        for number, role in enumerate(["owner", "owner", "visitor", "visitor"])
    ]
    for program in programs:
        await program.says("all done")
    for program in programs:
        program.told()
    for program in programs:
        await program.ends_well()
        assert program.lines == ["all done"]
