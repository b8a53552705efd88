"""Events stay in their order where one is given up, or found in the store, beside the next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.scripted import ScriptedExecutor, complete, open_scripted
from flowyard.backend.history import EventRaised
from flowyard_engine.component import EngineComponent
from flowyard_engine.sqlite import SqliteStore
from flowyard_engine.store import Commit, Loaded, Message, Outcome
from flowyard_engine.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from flowyard_engine.instance import Batch, Instance


async def test_what_is_stored_while_a_turn_is_given_up_at_a_stop_waits_for_what_was_before(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, begin_again = SqliteStore.submit, Turns._begin_again
    held: list[Callable[[], None]] = []
    is_held = asyncio.Event()

    def hold(store: SqliteStore, commit: Commit, done: Callable[[Outcome], None]) -> None:
        def hold_answer(outcome: Outcome) -> None:
            held.append(lambda: done(outcome))
            is_held.set()

        submit(store, commit, hold_answer)

    def answer_then(turns: Turns, instance: Instance, batch: Batch) -> None:
        begin_again(turns, instance, batch)
        while held:
            held.pop()()

    monkeypatch.setattr(Turns, "_begin_again", answer_then)
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        starting = asyncio.create_task(runtime.start("any", instance_id="it"))
        (await executor.turn("it")).decide()
        await starting
        await runtime.raise_event("it", "e", 1)
        await executor.turn("it")
        monkeypatch.setattr(SqliteStore, "submit", hold)
        raising = asyncio.create_task(runtime.raise_event("it", "e", 2))
        await is_held.wait()
    await raising
    assert not executor.has_turn("it")
    monkeypatch.undo()
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        turn = await executor.turn("it")
        raised = [event.input for event in turn.turn.new if isinstance(event, EventRaised)]
        assert raised == ["1", "2"]
        turn.decide(complete())
        await runtime.wait("it")


async def test_what_a_look_has_brought_is_not_overtaken_by_who_has_waited_for_the_look(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = SqliteStore.load
    was_read, goes_on = asyncio.Event(), asyncio.Event()

    async def load_slowly(store: SqliteStore, instance_id: str) -> Loaded | None:
        loaded = await load(store, instance_id)
        was_read.set()
        await goes_on.wait()
        return loaded

    executor = ScriptedExecutor()
    async with open_scripted(database, executor, cachedInstances="0") as runtime:
        starting = asyncio.create_task(runtime.start("any", instance_id="it"))
        (await executor.turn("it")).decide()
        await starting
        component = runtime.component()
        assert isinstance(component, EngineComponent)
        engine = component._engine
        assert engine is not None
        monkeypatch.setattr(SqliteStore, "load", load_slowly)
        reading = asyncio.create_task(engine._turns.find("it"))
        await was_read.wait()
        # As this process stores it while it is not the owner yet, and finds it afterwards.
        message = Message("it", EventRaised("e", "1"))
        await component._store.send(message)
        raising = asyncio.create_task(engine.deliver("it", EventRaised("e", "2")))
        engine._turns._pick_up(message)
        goes_on.set()
        await reading
        raised: list[str | None] = []
        while len(raised) < 2:  # in one turn or in two
            turn = await executor.turn("it")
            raised += [event.input for event in turn.turn.new if isinstance(event, EventRaised)]
            turn.decide()
        assert raised == ["1", "2"]
        assert await raising
