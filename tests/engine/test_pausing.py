"""Pauses that come while a turn is out hold from when they are acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.scripted import ScriptedExecutor, begin, call, complete, open_scripted, renew
from flowyard import WorkflowStatus

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
