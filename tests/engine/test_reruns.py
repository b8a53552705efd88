"""A rerun on the file: one write, after which the copy is an instance like any other."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.programs.steps import make_app, traces
from flowyard import App, InstanceQuery, InvalidRequest, WorkflowContext, WorkflowStatus, when_all
from flowyard.backend.history import ChildCreated, ExecutionSuspended, TaskScheduled, TimerCreated
from flowyard.testing.kit import OpenWorkflowKit

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime, Query
    from program import StartProgram


async def test_a_copy_does_only_what_was_left_although_its_process_was_killed(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path
) -> None:
    folder = database.parent
    app = make_app(folder)
    (folder / "open-first").touch()
    async with open_runtime(app) as runtime:
        await runtime.start("gated", "first", instance_id="source")
        await runtime.wait("source")
    (folder / "open-first").unlink()
    owner = start_program("acknowledging", database, "owner", "rerun", "copy")
    await owner.ends()
    assert owner.lines == ["acknowledged"]
    async with open_runtime(app, leaseSeconds="0.5") as runtime:
        assert (await runtime.wait("copy")).status is WorkflowStatus.COMPLETED
    left = [text for _, instance_id, _, text in traces(folder) if instance_id == "copy"]
    # Once more where the kill came between the activity and its record.
    assert set(left) == {"after the gate"}
    names = [name for _, _, name, text in traces(folder) if text == "after the gate"]
    assert len(set(names)) == 2, "the copy's call needs a name of its own"


async def test_a_copy_made_without_any_owner_is_done_by_the_next(
    open_runtime: OpenRuntime, database: Path
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app) as runtime:
        await runtime.start("chain", 3, instance_id="source")
        await runtime.wait("source")
    async with open_runtime() as visitor:
        assert await visitor.rerun("source", 2, new_instance_id="copy") == "copy"
        assert (await visitor.get("copy")).status is WorkflowStatus.RUNNING
    async with open_runtime(app) as runtime:
        assert (await runtime.wait("copy")).result() == 3
    steps = [text for _, instance_id, _, text in traces(database.parent) if instance_id == "copy"]
    assert steps == ["1", "2"]


async def test_a_refused_rerun_writes_nothing(
    open_runtime: OpenRuntime, database: Path, query: Query
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app) as runtime:
        await runtime.start("chain", 1, instance_id="source")
        await runtime.wait("source")
        await runtime.start("waiter", instance_id="active")

        def rows() -> list[list[tuple[object, ...]]]:
            return [query(f"SELECT * FROM {table}") for table in ("history", "messages")]  # noqa: S608

        before = rows()
        for new_id in ("active", "source"):
            with pytest.raises(Exception, match=new_id):
                await runtime.rerun("source", 1, new_instance_id=new_id)
        assert rows() == before
        assert len((await runtime.list(InstanceQuery())).instances) == 2


async def test_a_closed_instance_gives_its_id_to_a_copy(
    open_runtime: OpenRuntime, database: Path
) -> None:
    async with open_runtime(make_app(database.parent)) as runtime:
        for steps, instance_id in ((1, "old"), (2, "source")):
            await runtime.start("chain", steps, instance_id=instance_id)
            await runtime.wait(instance_id)
        await runtime.rerun("source", 1, new_instance_id="old")
        assert (await runtime.wait("old")).result() == 2


async def test_what_had_no_result_yet_is_done_anew_too(
    open_runtime: OpenRuntime, database: Path
) -> None:
    """`slow` was open when `then` was asked for: its result came later, and is left out."""
    app = make_app(database.parent)

    @app.workflow
    async def beside(ctx: WorkflowContext) -> list[object]:
        async def quick() -> object:
            await ctx.call_activity("note", input="quick")
            return await ctx.call_activity("note", input="then")

        return list(await when_all([ctx.call_activity("pass_gate", input="slow"), quick()]))

    folder = database.parent
    async with open_runtime(app) as runtime:
        await runtime.start("beside", instance_id="source")
        while "then" not in {text for *_, text in traces(folder)}:
            await runtime.get("source")
        (folder / "open-slow").touch()
        await runtime.wait("source")
        called = [
            event for event in await runtime.history("source") if isinstance(event, TaskScheduled)
        ]
        then = next(event.id for event in called if event.input == '"then"')
        await runtime.rerun("source", then, new_instance_id="copy")
        await runtime.wait("copy")
    done = [text for _, instance_id, _, text in traces(folder) if instance_id == "copy"]
    assert sorted(done) == ["slow", "then"]


async def test_a_timer_takes_as_long_as_it_had_to_go(workflow_kit: OpenWorkflowKit) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        await ctx.create_timer(timedelta(days=1))
        return "awake"

    async with workflow_kit(app) as kit:
        source = await kit.runtime.start(patient)
        await kit.wait(source)
        await kit.advance(timedelta(days=30))
        timer = next(
            event for event in await kit.runtime.history(source) if isinstance(event, TimerCreated)
        )
        copy = await kit.runtime.rerun(source, timer.id)
        await kit.advance(timedelta(hours=23))
        assert (await kit.runtime.get(copy)).status is WorkflowStatus.RUNNING
        await kit.advance(timedelta(hours=2))
        assert (await kit.runtime.get(copy)).result() == "awake"


async def test_a_pause_of_the_source_does_not_hold_the_copy(
    open_runtime: OpenRuntime, database: Path, query: Query
) -> None:
    app = make_app(database.parent)

    @app.workflow
    async def after_go(ctx: WorkflowContext) -> object:
        await ctx.wait_for_external_event("go")
        await ctx.call_activity("note", input="gone")
        return await ctx.wait_for_external_event("end")

    # Without an owner both are messages, which one turn takes up together.
    async with open_runtime(app) as runtime:
        await runtime.start("after_go", instance_id="source")
    async with open_runtime() as visitor:
        await visitor.raise_event("source", "go")
        pausing = asyncio.create_task(visitor.pause("source"))
        while len(query("SELECT id FROM messages")) < 2:
            await visitor.get("source")
        async with open_runtime(app) as runtime:
            assert await pausing
    async with open_runtime(app) as runtime:
        assert (await runtime.get("source")).status is WorkflowStatus.SUSPENDED
        await runtime.terminate("source")
        await runtime.wait("source")
        history = await runtime.history("source")
        called = [type(event) for event in history].index(TaskScheduled)
        assert isinstance(history[called - 1], ExecutionSuspended), "one turn has taken up both"
        await runtime.rerun("source", history[called].id, new_instance_id="copy")  # type: ignore[union-attr]
        await runtime.raise_event("copy", "end", "over")
        assert (await runtime.wait("copy")).result() == "over"


async def test_an_event_of_the_last_turn_is_refused(
    open_runtime: OpenRuntime, database: Path
) -> None:
    app = make_app(database.parent)

    @app.workflow
    async def careless(ctx: WorkflowContext) -> None:
        ctx.call_activity("note", input="left behind")

    async with open_runtime(app) as runtime:
        await runtime.start("careless", instance_id="source")
        await runtime.wait("source")
        with pytest.raises(InvalidRequest, match="nothing waited for it"):
            await runtime.rerun("source", 1)


async def test_a_copy_of_a_child_reports_to_nobody(
    open_runtime: OpenRuntime, database: Path
) -> None:
    app = make_app(database.parent)

    @app.workflow
    async def family(ctx: WorkflowContext) -> object:
        return await ctx.call_child_workflow("chain", input=2)

    async with open_runtime(app) as runtime:
        await runtime.start("family", instance_id="source")
        await runtime.wait("source")
        history = await runtime.history("source")
        child = next(event for event in history if isinstance(event, ChildCreated))
        await runtime.rerun(child.instance_id, 2, new_instance_id="orphan")
        state = await runtime.wait("orphan")
        assert (state.result(), state.parent_instance_id) == (2, None)
        copy = await runtime.rerun("source", child.id, new_instance_id="copy")
        assert (await runtime.wait(copy)).result() == 2
        children = [
            event for event in await runtime.history(copy) if isinstance(event, ChildCreated)
        ]
        (childs_copy,) = [child.instance_id for child in children]
        assert childs_copy.startswith("copy:")
        assert childs_copy.split(":")[1] != child.instance_id.split(":")[1]
        assert (await runtime.get(childs_copy)).parent_instance_id == "copy"
        assert await runtime.purge("copy") == 2
        assert (await runtime.get(child.instance_id)).result() == 2
