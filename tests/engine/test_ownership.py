"""At most one process runs turns: a lease says which, and a fence stops one that is late."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.programs.steps import make_app, traces
from flowyard import ActivityContext, App, Runtime, WorkflowContext, WorkflowStatus
from flowyard.backend.history import TaskCompleted
from flowyard_engine.component import EngineComponent

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime, Query
    from program import StartProgram


def engine_of(runtime: Runtime) -> EngineComponent:
    component = runtime.component()
    assert isinstance(component, EngineComponent)
    return component


async def until_left(folder: Path, count: int) -> list[list[str]]:
    """Return the traces of activities once there are so many."""
    while len(found := traces(folder)) < count:  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.01)
    return found


def another_owner_takes_over(query: Query) -> None:
    """Do to the file what another process does that takes over, and dies at once."""
    query("UPDATE lease SET fence = fence + 1, expires_at = 0")


async def test_a_process_that_stood_still_beyond_its_lease_cannot_commit(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path
) -> None:
    late = start_program("working", database, 0.5)
    await late.says("owner")
    async with open_runtime() as manager:
        await manager.start("gated", input="g", instance_id="it")
        await until_left(database.parent, 1)
        late.stop()
        other = start_program("working", database, 0.5)
        await other.says("owner")
        # The late one finds its gate open as soon as it goes on; the other is still on its way.
        (database.parent / f"open-g-{late.process.pid}").touch()
        first, second = await until_left(database.parent, 2)
        late.go_on()
        (database.parent / f"open-g-{other.process.pid}").touch()
        state = await manager.wait("it")
    assert state.result() == [other.process.pid, other.process.pid]
    assert [int(first[0]), int(second[0])] == [late.process.pid, other.process.pid]
    assert first[2] == second[2], "both attempts have one idempotency key"
    left = traces(database.parent)
    assert [(int(line[0]), line[3]) for line in left[2:]] == [(other.process.pid, "after the gate")]


async def test_a_process_that_stood_still_becomes_the_owner_again(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path
) -> None:
    late = start_program("working", database, 0.5)
    await late.says("owner")
    late.stop()
    other = start_program("working", database, 0.5)
    await other.says("owner")
    async with open_runtime() as manager:
        await manager.start("chain", input=2, instance_id="first")
        assert (await manager.wait("first")).result() == 2
        late.go_on()
        other.kill()
        await manager.start("chain", input=3, instance_id="second")
        assert (await manager.wait("second")).result() == 3
    workers = [int(trace[0]) for trace in traces(database.parent)]
    assert workers == [other.process.pid] * 2 + [late.process.pid] * 3


async def test_an_overtaken_owner_leaves_what_is_asked_of_it_to_the_next(
    open_runtime: OpenRuntime, query: Query, database: Path
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app, leaseSeconds="0.5") as runtime:
        await runtime.start("waiter", instance_id="before")
        another_owner_takes_over(query)
        await runtime.start("waiter", instance_id="after")
        assert await runtime.raise_event("before", "go", 1)
        assert await runtime.raise_event("after", "go", 2)
        assert (await runtime.wait("before")).result() == 1
        assert (await runtime.wait("after")).result() == 2


async def test_who_waits_with_an_overtaken_owner_goes_on_waiting(
    open_runtime: OpenRuntime, query: Query, database: Path
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app, leaseSeconds="0.5") as runtime:
        await runtime.start("waiter", instance_id="it")
        waiting = asyncio.create_task(runtime.wait("it"))
        await asyncio.sleep(0)
        another_owner_takes_over(query)
        await runtime.raise_event("it", "go", "at last")
        assert (await waiting).result() == "at last"


async def test_a_turn_of_an_overtaken_owner_is_not_written(
    open_runtime: OpenRuntime, query: Query
) -> None:
    app = App()
    began, goes_on = asyncio.Event(), asyncio.Event()
    runs: list[int] = []

    @app.activity
    async def step(ctx: ActivityContext) -> int:
        runs.append(len(runs))
        began.set()
        await goes_on.wait()
        return runs[-1]

    @app.workflow
    async def one_step(ctx: WorkflowContext) -> int:
        return await ctx.call_activity(step)

    async with open_runtime(app, leaseSeconds="60") as runtime:
        await runtime.start(one_step, instance_id="it")
        await began.wait()
        # The owner to come never does; nobody but the overtaken one could write now.
        query("UPDATE lease SET fence = fence + 1, expires_at = 9000000000000000000")
        goes_on.set()
        component = engine_of(runtime)
        while component.is_owner:  # noqa: ASYNC110 - it notices by itself
            await asyncio.sleep(0.01)
        history = await runtime.history("it")
        assert not any(isinstance(event, TaskCompleted) for event in history)
        query("UPDATE lease SET expires_at = 0")


async def test_the_loss_of_the_file_while_an_instance_is_read_cancels_no_caller(
    open_runtime: OpenRuntime, query: Query, database: Path
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app, leaseSeconds="0.5", cachedInstances="0") as runtime:
        await runtime.start("waiter", instance_id="it")
        component = engine_of(runtime)
        calls = [asyncio.create_task(runtime.raise_event("it", "other", n)) for n in range(20)]
        await asyncio.sleep(0)
        another_owner_takes_over(query)
        component._lost.set()
        assert await asyncio.gather(*calls) == [True] * 20
        await runtime.raise_event("it", "go", 1)
        assert (await runtime.wait("it")).result() == 1


async def test_an_owner_to_be_survives_a_database_in_trouble(
    open_runtime: OpenRuntime, query: Query, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(database.parent)
    async with AsyncExitStack() as stack:
        async with open_runtime(app) as first:
            second = await stack.enter_async_context(open_runtime(app, leaseSeconds="0.5"))
            await first.start("waiter", instance_id="it")
            # Renewing keeps the number of the owner; taking over does not.
            query(
                "CREATE TRIGGER trouble BEFORE UPDATE ON lease WHEN new.fence <> old.fence "
                "BEGIN SELECT raise(ABORT, 'in trouble'); END"
            )
        while "in trouble" not in caplog.text:  # noqa: ASYNC110 - it tries by itself
            await asyncio.sleep(0.01)
        assert not engine_of(second).is_owner
        query("DROP TRIGGER trouble")
        await second.raise_event("it", "go", "after the trouble")
        assert (await second.wait("it")).result() == "after the trouble"


async def test_a_runtime_without_an_app_never_runs_turns(
    open_runtime: OpenRuntime, database: Path
) -> None:
    async with open_runtime() as manager:
        await manager.start("chain", input=1, instance_id="it")
        await manager.raise_event("it", "unheard")
        assert not engine_of(manager).is_owner
        assert (await manager.get("it")).status is WorkflowStatus.PENDING
        async with open_runtime(make_app(database.parent)) as worker:
            assert (await worker.wait("it")).result() == 1
        assert not engine_of(manager).is_owner
