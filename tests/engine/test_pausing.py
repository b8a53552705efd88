"""Pauses that come while a turn is out hold from when they are acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.scripted import ScriptedExecutor, begin, call, complete, open_scripted, renew
from flowyard import ReusePolicy, WorkflowStatus
from flowyard.backend import ExecutionResumed, ExecutionStarted, ExecutionSuspended
from flowyard_engine.settings import EngineSettings
from flowyard_engine.sqlite import SqliteStore
from flowyard_engine.store import Message, Record

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_pause_that_comes_while_a_turn_is_out_is_kept_and_shown(database: Path) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        turn = await begin(runtime, executor, "it")
        assert await runtime.pause("it") is True
        assert await runtime.pause("it") is False
        assert (await runtime.get("it")).status is WorkflowStatus.SUSPENDED
        turn.decide(call(1))
        await executor.activity()
        assert (await runtime.get("it")).status is WorkflowStatus.SUSPENDED
    async with open_scripted(database, executor) as runtime:
        assert (await runtime.get("it")).status is WorkflowStatus.SUSPENDED


async def test_a_pause_that_comes_while_a_turn_is_out_holds_for_the_next_execution(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        turn = await begin(runtime, executor, "it")
        assert await runtime.pause("it") is True
        turn.decide(call(1), renew())
        turn = await executor.turn("it")
        # No code runs for what comes after the pause.
        assert turn.new == ["ExecutionSuspended", "ExecutionStarted"]
        assert (await runtime.get("it")).status is WorkflowStatus.SUSPENDED
        turn.decide()
        assert await runtime.raise_event("it", "e") is True
    async with open_scripted(database, executor) as runtime:
        assert (await runtime.get("it")).status is WorkflowStatus.SUSPENDED
        assert not executor.has_turn("it")
        assert await runtime.resume("it") is True
        (await executor.turn("it")).decide(complete())
        await runtime.wait("it")


async def test_a_pause_by_another_process_is_judged_by_what_waits_before_it(
    database: Path,
) -> None:
    settings = EngineSettings(connection_string=f"sqlite:///{database}")
    started = ExecutionStarted("any", None, "e")
    async with SqliteStore.open(settings) as store:
        record = Record("it", 1, 1, "any", WorkflowStatus.RUNNING, 0)
        await store.create(record, Message("it", started, 1), ReusePolicy.REJECT)
        # No process owns the file: what is sent waits.
        pause, resume = ExecutionSuspended(), ExecutionResumed()
        events = (pause, pause, resume, resume, pause)
        seen = [await store.send(Message("it", event)) for event in events]
    running, suspended = WorkflowStatus.RUNNING, WorkflowStatus.SUSPENDED
    assert seen == [running, suspended, suspended, running, running]
