"""Children: their IDs, and what they and their parents hear of each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy
from pathlib import Path

import pytest

from engine.scripted import (
    ScriptedExecutor,
    begin,
    begin_child,
    closes,
    complete,
    open_scripted,
    renew,
    wait_until_started,
)
from engine.test_eviction import held
from flowyard import InstanceAlreadyExists, WorkflowStatus
from flowyard.backend.history import EventRaised
from flowyard_engine.component import EngineComponent
from flowyard_engine.store import Child, Message


async def test_a_parent_is_told_of_its_child_though_its_own_turn_is_written_after_the_close(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "parent")).decide(begin_child(1, "child"))
        child = await executor.turn("child")
        await runtime.raise_event("parent", "wake")
        parent = await executor.turn("parent")
        with held(database):
            child.decide(complete('"of the child"'))
            parent.decide()  # computed before it knows, written with the close
            await asyncio.sleep(0)
        await wait_until_started(runtime, "parent")
        while not executor.has_turn("parent"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    # The process is gone before that turn was answered.
    async with open_scripted(database, executor) as runtime:
        told = await executor.turn("parent")
        while not {"ChildCompleted"} & set(told.new):
            told = await executor.turn("parent")
        told.decide(complete('"told"'))
        assert await closes(runtime, "parent") == '"told"'


@pytest.mark.parametrize("how", ["purged", "started anew"])
async def test_a_child_s_result_outlives_the_child(database: Path, how: str) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "parent")).decide(begin_child(1, "child"))
        child = await executor.turn("child")
        await runtime.raise_event("parent", "wake")
        await executor.turn("parent")
        child.decide(complete('"of the child"'))
        await closes(runtime, "child")
        if how == "purged":
            assert await runtime.purge("child") == 1
        else:
            await runtime.start("any", instance_id="child")
    restarted = ScriptedExecutor()
    async with open_scripted(database, restarted) as runtime:
        assert (await restarted.turn("parent")).new == ["EventRaised", "ChildCompleted"]


@pytest.mark.parametrize("first", ["parent", "closing"])
async def test_a_child_that_takes_the_id_of_an_instance_closing_beside_it_runs(
    database: Path, first: str
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        parent = await begin(runtime, executor, "parent")
        closing = await begin(runtime, executor, "shared")
        with held(database):
            answers: list[Callable[[], None]] = [
                lambda: parent.decide(begin_child(1, "shared")),
                lambda: closing.decide(complete('"first holder"')),
            ]
            for answer in answers if first == "parent" else reversed(answers):
                answer()
            await asyncio.sleep(0)
        child = await executor.turn("shared")
        assert child.turn.new[1].workflow == "child"  # type: ignore[union-attr]
        child.decide(complete('"of the child"'))
        told = await executor.turn("parent")
        assert told.new == ["ChildCompleted"]


async def test_a_child_that_takes_the_id_of_a_closed_instance_being_read_runs(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "shared")).decide(complete())
        await closes(runtime, "shared")
        for number in range(10):
            parent = await begin(runtime, executor, f"parent-{number}")
            raising = [
                asyncio.create_task(runtime.raise_event("shared", "late")) for _ in range(20)
            ]
            parent.decide(begin_child(1, "shared"))
            (await executor.turn("shared")).decide(complete())
            assert "ChildCompleted" in (await executor.turn(f"parent-{number}")).new
            await asyncio.gather(*raising)


async def test_of_two_children_with_one_id_the_first_runs_and_the_second_fails(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        parent = await begin(runtime, executor, "parent")
        parent.decide(begin_child(1, "shared"), begin_child(2, "shared"))
        refused = await executor.turn("parent")
        assert refused.turn.new[1].task_id == 2  # type: ignore[union-attr]
        assert refused.new == ["ChildFailed"]
        refused.decide()
        (await executor.turn("shared")).decide(complete('"ran"'))
        told = await executor.turn("parent")
        assert (told.new, told.turn.new[1].task_id) == (["ChildCompleted"], 1)  # type: ignore[union-attr]
        assert not executor.has_turn("shared")


async def test_a_child_with_the_id_of_its_parent_leaves_the_parent_s_result_alone(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        turn = await begin(runtime, executor, "it")
        turn.decide(begin_child(1, "it"), complete('"the result"'))
        assert await closes(runtime, "it") == '"the result"'
        assert (await runtime.get("it")).workflow == "any"
        assert not executor.has_turn("it")


async def test_a_termination_spares_an_instance_that_was_refused_as_a_child(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "victim")).decide()
        await wait_until_started(runtime, "victim")
        turn = await begin(runtime, executor, "it")
        with held(database):
            turn.decide(begin_child(1, "victim"))
            await asyncio.sleep(0)
            terminating = asyncio.create_task(runtime.terminate("it"))
            await asyncio.sleep(0)
        assert await terminating
        assert (await runtime.get("it")).status is WorkflowStatus.TERMINATED
        await runtime.raise_event("victim", "go")
        (await executor.turn("victim")).decide(complete('"alive"'))
        assert await closes(runtime, "victim") == '"alive"'


async def test_children_of_an_earlier_holder_of_the_id_are_neither_terminated_nor_in_the_way(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        first = await begin(runtime, executor, "it")
        first.decide(begin_child(1, "child-of-the-first"), complete())
        await executor.turn("child-of-the-first")
        await closes(runtime, "it")
        second = await begin(runtime, executor, "it")
        second.decide(begin_child(1, "child-of-the-second"))
        (await executor.turn("child-of-the-second")).decide()
        await wait_until_started(runtime, "it", "child-of-the-second")
        await runtime.terminate("it")
        assert (await runtime.wait("child-of-the-second")).status is WorkflowStatus.TERMINATED
        assert await runtime.purge("it") == 2
        assert not (await runtime.get("child-of-the-first")).status.is_closed


async def test_children_of_an_earlier_execution_end_with_the_instance(database: Path) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        turn = await begin(runtime, executor, "it")
        turn.decide(begin_child(1, "child"), renew())
        (await executor.turn("child")).decide()
        (await executor.turn("it")).decide()
        await wait_until_started(runtime, "it", "child")
        await runtime.terminate("it")
        assert (await runtime.wait("child")).status is WorkflowStatus.TERMINATED


async def test_instances_that_are_each_other_s_parent_can_be_purged(database: Path) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "a")).decide(begin_child(1, "b"), complete())
        b = await executor.turn("b")
        await closes(runtime, "a")
        b.decide(begin_child(1, "a"))
        (await executor.turn("a")).decide(complete())
        (await executor.turn("b")).decide(complete())
        await closes(runtime, "b")
        assert await runtime.purge("b") == 2


async def test_a_child_that_was_refused_is_told_to_its_parent_after_a_restart(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        turn = await begin(runtime, executor, "parent")
        turn.decide(begin_child(1, "parent"), begin_child(2, "parent"))
        await executor.turn("parent")  # and no worker answers it
    restarted = ScriptedExecutor()
    async with open_scripted(database, restarted) as runtime:
        assert (await restarted.turn("parent")).new == ["ChildFailed", "ChildFailed"]


async def test_a_start_loses_its_id_to_a_child_that_is_written_first(database: Path) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        parent = await begin(runtime, executor, "parent")
        with held(database):
            parent.decide(begin_child(1, "shared"))
            for _ in range(10):  # as often as the loop turns until it waits to be written
                await asyncio.sleep(0)
            starting = asyncio.create_task(runtime.start("any", instance_id="shared"))
            await asyncio.sleep(0)
        with pytest.raises(InstanceAlreadyExists):
            await starting
        child = await executor.turn("shared")
        await runtime.terminate("parent")
        assert (await runtime.wait("shared")).status is WorkflowStatus.TERMINATED
        assert child.answer.cancelled()
        await runtime.start("any", instance_id="shared")
        again = await executor.turn("shared")
        await asyncio.gather(*(runtime.raise_event("shared", "pay", n) for n in range(5)))
        again.decide()
        (await executor.turn("shared")).decide(complete('"once"'))
        assert await closes(runtime, "shared") == '"once"'


async def test_a_child_that_was_read_before_its_commit_was_answered_is_one_object(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "parent")).decide(begin_child(1, "child"))
        await executor.turn("child")
        component = runtime.component()
        assert isinstance(component, EngineComponent)
        assert component._engine is not None
        turns = component._engine._turns
        read = turns.cache.get("child")
        assert read is not None
        started = Message("child", EventRaised("any", None), read.record.birth)
        turns._begin_child(Child(copy(read.record), started, 1))
        assert turns.cache.get("child") is read
