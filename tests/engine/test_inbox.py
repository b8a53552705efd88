"""What an instance holds in memory, and how often the store is asked for what others left."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from engine.scripted import (
    PATIENCE_SECONDS,
    ScriptedExecutor,
    begin,
    call,
    complete,
    open_scripted,
)
from flowyard import BackendUnavailable, WorkflowStatus
from flowyard.backend.executor import TurnResult
from flowyard.backend.history import (
    EventRaised,
    ExecutionStarted,
    ExecutionSuspended,
    HistoryEvent,
    TimerCreated,
    TimerFired,
)
from flowyard.backend.journal import Journal
from flowyard.machine import SYSTEM
from flowyard.testing.clock import VirtualClock
from flowyard_engine import commits
from flowyard_engine.arrivals import Arrivals
from flowyard_engine.background_tasks import EngineTasks
from flowyard_engine.instance import Batch, Entry, Instance
from flowyard_engine.sqlite import SqliteStore
from flowyard_engine.store import Arrived, Commit, Loaded, Message, Outcome, Record, Store
from flowyard_engine.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from flowyard_engine.recovery import Recovery


def make_instance() -> Instance:
    record = Record("it", 1, 1, "any", WorkflowStatus.RUNNING, 0)
    started = ExecutionStarted("any", None, "e")
    history: list[HistoryEvent] = [started, TimerCreated(1, 5), TimerCreated(2, 6)]
    return Instance(record, Journal("it", history))


def test_a_timer_that_rings_again_while_a_turn_is_out_is_in_the_inbox_once() -> None:
    instance = make_instance()
    instance.busy = True
    for now in (5, 6, 7, 8):
        for fired in instance.journal.due_timers(now):
            instance.put(Entry(fired))
    assert [entry.event for entry in instance.inbox] == [TimerFired(1, 5), TimerFired(2, 6)]
    assert len(instance.take().admitted) == 2


def test_what_was_taken_back_waits_in_the_order_in_which_it_came() -> None:
    instance = make_instance()
    for number in range(3):
        instance.put(Entry(EventRaised("pay", str(number)), message_id=number + 1))
    batch = instance.take()
    instance.put(Entry(EventRaised("pay", "3"), message_id=4))
    instance.take_back(batch)
    instance.put(Entry(EventRaised("pay", "1"), message_id=2))  # a look at the store shows it again
    again = instance.take()
    raised = [entry.event for entry in again.admitted]
    assert raised == [EventRaised("pay", str(number)) for number in range(4)]
    assert again.consumed == [1, 2, 3, 4]


class SlowStore:
    """A store that answers a look when it is told to."""

    def __init__(self) -> None:
        self.looks: list[int] = []
        self.answers: asyncio.Queue[Arrived] = asyncio.Queue()

    async def arrived(self, seen: int) -> Arrived:
        self.looks.append(seen)
        return await self.answers.get()


async def test_however_often_others_write_there_is_one_look_at_a_time() -> None:
    store, taken = SlowStore(), list[int]()
    clock, background = VirtualClock(), EngineTasks(logging.getLogger("test"))
    arrivals = Arrivals(
        cast("Store", store),
        clock,
        Timers(clock, lambda now, due, on_disk: None),
        cast("Recovery", None),
        background,
        lambda message: taken.append(message.id),
    )
    for _ in range(50):
        arrivals.look()
        await asyncio.sleep(0)
    assert store.looks == [0]
    event = EventRaised("pay", None)
    store.answers.put_nowait(Arrived([Message("it", event, id=n) for n in (1, 2, 3)], []))
    # Taken up and deleted in the meantime by a turn: a look that began before shows it still.
    arrivals.consumed([2])
    store.answers.put_nowait(Arrived([], []))
    while background:
        await background.progress()
    assert store.looks == [0, 3]
    assert taken == [1, 3]


async def test_a_worker_that_comes_again_and_again_makes_one_round_of_what_is_stalled(
    database: Path,
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        ids = [f"it-{number}" for number in range(30)]
        for instance_id in ids:
            await runtime.start("any", instance_id=instance_id)
            (await executor.turn(instance_id)).stall()
        for instance_id in ids:
            while (await runtime.get(instance_id)).status is not WorkflowStatus.STALLED:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for _ in range(20):
            executor.on_more()
            await asyncio.sleep(0)
        tried = [instance_id for instance_id in ids if executor.has_turn(instance_id)]
        # Each at most once: a round goes on only when its first part has been let through.
        assert len(tried) <= 20
        for instance_id in ids:
            (await executor.turn(instance_id)).decide()


def refuse_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(store: SqliteStore, commit: Commit, done: Callable[[Outcome], None]) -> None:
        monkeypatch.undo()
        asyncio.get_running_loop().call_soon(done, Outcome(BackendUnavailable("full")))

    monkeypatch.setattr(SqliteStore, "submit", refuse)


async def test_a_late_result_of_an_ended_execution_is_answered_though_the_disk_has_refused_it(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "it")).decide(call(1), complete())
        late = await executor.activity()
        await runtime.wait("it")
        await begin(runtime, executor, "it")  # and no worker answers it
        refuse_once(monkeypatch)
        late.returns('"late"')
        async with asyncio.timeout(PATIENCE_SECONDS):
            await executor.acknowledgement.wait()
        assert executor.acknowledged == [("it", 1)]
        (await executor.turn("it")).decide(complete())
        await runtime.wait("it")


async def test_an_activity_whose_result_the_disk_has_refused_does_not_run_again(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "it")).decide(call(1))
        activity = await executor.activity()
        refuse_once(monkeypatch)
        activity.returns('"once"')
        await executor.turn("it")  # while no worker answers it, its beginning is refused
        turn = await executor.turn("it")
        assert turn.new == ["TaskCompleted"]
        turn.decide(complete('"done"'))
        assert (await runtime.wait("it")).output == '"done"'
        assert executor.activities.empty()


async def test_nor_does_it_where_somebody_else_has_the_instance_read_first(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "it")).decide(call(1))
        activity = await executor.activity()
        refuse_once(monkeypatch)
        activity.returns('"once"')
        await executor.turn("it")  # while no worker answers it, its beginning is refused
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "was not written" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert await runtime.raise_event("it", "e") is True
        turn = await executor.turn("it")
        assert turn.new == ["TaskCompleted", "EventRaised"]
        turn.decide(complete('"done"'))
        assert (await runtime.wait("it")).output == '"done"'
        assert executor.activities.empty()
        assert executor.acknowledged == [("it", 1)]


async def test_a_late_result_is_answered_though_its_instance_could_not_be_read_at_first(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = SqliteStore.load
    refusals = 1

    async def load_later(store: SqliteStore, instance_id: str) -> Loaded | None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise BackendUnavailable("not now")
        return await load(store, instance_id)

    executor = ScriptedExecutor()
    async with open_scripted(database, executor) as runtime:
        (await begin(runtime, executor, "it")).decide(call(1), complete())
        late = await executor.activity()
        await runtime.wait("it")
        executor.acknowledgement.clear()
        monkeypatch.setattr(SqliteStore, "load", load_later)
        late.returns('"late"')
        async with asyncio.timeout(PATIENCE_SECONDS):
            await executor.acknowledgement.wait()
    assert refusals == 0


async def test_a_turn_does_not_say_of_a_pause_that_is_not_stored_that_it_holds() -> None:
    instance = make_instance()
    turn = instance.journal.turn(5, [entry.event for entry in instance.take().admitted])
    waits: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    instance.put(Entry(ExecutionSuspended(), ack=waits))
    # If the process ends now, the pause is gone, and nobody has been told that it holds.
    commit = commits.of_turn(instance, turn, TurnResult(), Batch(()), SYSTEM)
    assert commit.record.status is WorkflowStatus.RUNNING
    assert commits.of_inbox(instance).record.status is WorkflowStatus.SUSPENDED
    instance.unsaved = []  # on its way to the disk, before the next turn is
    turn = instance.journal.turn(6, [])
    commit = commits.of_turn(instance, turn, TurnResult(), Batch(()), SYSTEM)
    assert commit.record.status is WorkflowStatus.SUSPENDED
