"""The engine's timers: what rings, and what is forgotten."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from engine.programs.steps import make_app
from flowyard import App, WorkflowContext
from flowyard.backend.timestamps import NEVER
from flowyard.testing import VirtualClock
from flowyard_engine.component import EngineComponent
from flowyard_engine.recovery import Recovery
from flowyard_engine.timers import Timers
from moved_clock import AN_HOUR, MovedClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from engine.conftest import OpenRuntime, Query

A_MINUTE = timedelta(minutes=1)

P = ParamSpec("P")
T = TypeVar("T")


class Noted:
    """What `Alarms` have called."""

    def __init__(self) -> None:
        self.calls: list[tuple[set[str], bool]] = []

    def __call__(self, now: int, due: set[str], *, on_disk: bool) -> None:
        self.calls.append((due, on_disk))


async def test_each_instance_is_named_once_a_ring_however_many_timers_are_due() -> None:
    clock, noted = VirtualClock(), Noted()
    timers = Timers(clock, noted)
    now = clock.now()
    for after in (3, 1, 2, 2, 50):
        timers.add(now + after, "many")
    timers.add(now + 2, "other")
    timers.add(NEVER, "never")
    clock.advance(timedelta(microseconds=10))
    assert noted.calls == [
        ({"many"}, False),
        ({"many", "other"}, False),
        ({"many"}, False),
    ]
    assert len(timers) == 1


async def test_a_time_before_1970_keeps_no_other_from_ringing() -> None:
    clock, noted = VirtualClock(), Noted()
    timers = Timers(clock, noted)
    timers.add(-1, "old")
    timers.add(-(10**16), "older")
    timers.on_disk(-5)
    clock.advance(timedelta(0))
    timers.add(clock.now() + 1, "later")
    clock.advance(timedelta(seconds=1))
    assert ({"later"}, False) in noted.calls
    named = {instance_id for due, _ in noted.calls for instance_id in due}
    assert named == {"old", "older", "later"}
    assert any(on_disk for _, on_disk in noted.calls)


async def test_what_is_forgotten_does_not_ring_and_takes_no_room() -> None:
    clock, noted = VirtualClock(), Noted()
    timers = Timers(clock, noted)
    for number in range(10_000):
        timers.add(clock.now() + AN_HOUR, f"it-{number}")
        timers.forget(f"it-{number}")
    assert len(timers) == 0
    assert len(timers._earliest) < 1_000
    timers.add(clock.now() + 2 * AN_HOUR, "it-7")
    clock.advance(timedelta(hours=1))
    assert noted.calls == []
    clock.advance(timedelta(hours=1))
    assert noted.calls == [({"it-7"}, False)]


async def test_nothing_rings_after_the_end() -> None:
    clock, noted = VirtualClock(), Noted()
    timers = Timers(clock, noted)
    timers.add(clock.now() + 1, "it")
    timers.cancel()
    timers.add(-1, "it")
    clock.advance(timedelta(seconds=1))
    assert noted.calls == []


def alarms_of(component: object) -> Timers:
    assert isinstance(component, EngineComponent)
    assert component._engine is not None
    return component._engine._turns.timers


async def test_timers_of_closed_and_of_renewed_instances_are_forgotten(
    open_runtime: OpenRuntime,
) -> None:
    app = App()

    @app.workflow
    async def hasty(ctx: WorkflowContext, rounds: int) -> None:
        ctx.create_timer(timedelta(days=1))
        if await ctx.wait_for_external_event("go", timeout=timedelta(hours=1)) and rounds:
            ctx.continue_as_new(rounds - 1)

    async with open_runtime(app) as runtime:
        await runtime.start(hasty, 1, instance_id="it")
        timers = alarms_of(runtime.component())
        await runtime.raise_event("it", "go", 1)
        await asyncio.wait_for(_until_two(timers), 60)
        await runtime.raise_event("it", "go", 1)
        await runtime.wait("it", timeout=A_MINUTE)
        assert len(timers) == 0


async def _until_two(timers: Timers) -> None:
    while len(timers) != 2:  # noqa: ASYNC110 - the next execution begins by itself
        await asyncio.sleep(0.01)


async def test_a_timer_of_version_1_before_1970_fires_after_a_restart(
    open_runtime: OpenRuntime, query: Query, database: Path
) -> None:
    async with open_runtime(make_app(database.parent)) as runtime:
        await runtime.start("sleeper", 3600, instance_id="it")
    query("UPDATE instances SET wake_at = -62135596800000000")
    query(
        "UPDATE history SET events = CAST(replace(CAST(events AS TEXT), "
        "'[\"TimerCreated\",1,', '[\"TimerCreated\",1,-') AS BLOB)"
    )
    async with open_runtime(make_app(database.parent)) as runtime:
        assert (await runtime.wait("it", timeout=A_MINUTE)).result() == "awake"


async def test_a_timer_before_1970_fires_where_no_instance_stays_in_memory(
    open_runtime: OpenRuntime,
) -> None:
    app = App()

    @app.workflow
    async def past(ctx: WorkflowContext, microseconds: int) -> str:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        await ctx.create_timer(epoch + timedelta(microseconds=microseconds))
        return "fired"

    async with open_runtime(app, cachedInstances="0") as runtime:
        for microseconds in (-1, 0, 1):
            instance_id = await runtime.start(past, microseconds)
            assert (await runtime.wait(instance_id, timeout=A_MINUTE)).result() == "fired"


async def test_timers_fire_soon_after_the_clock_was_set_forward(
    open_runtime: OpenRuntime, database: Path
) -> None:
    clock = MovedClock()
    async with open_runtime(make_app(database.parent), clock=clock) as runtime:
        await runtime.start("sleeper", 3600, instance_id="it")
        clock.moved_by = AN_HOUR
        assert (await runtime.wait("it", timeout=A_MINUTE)).result() == "awake"


def set_back_before(
    called: Callable[P, T], clock: MovedClock, set_back: asyncio.Event
) -> Callable[P, T]:
    """Return the function, which once sets the clock back before it does its work."""

    def with_the_clock_set_back(*args: P.args, **kwargs: P.kwargs) -> T:
        if clock.moved_by and not set_back.is_set():
            clock.moved_by = 0
            set_back.set()
        return called(*args, **kwargs)

    return with_the_clock_set_back


async def test_a_delayed_start_comes_although_the_clock_was_set_back_as_it_was_found_due(
    open_runtime: OpenRuntime, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, set_back = MovedClock(), asyncio.Event()
    monkeypatch.setattr(Recovery, "load", set_back_before(Recovery.load, clock, set_back))
    async with open_runtime(make_app(database.parent), clock=clock, cachedInstances="0") as runtime:
        start_at = datetime.now(UTC) + timedelta(minutes=30)
        await runtime.start("sleeper", 0, instance_id="it", start_at=start_at)
        clock.moved_by = AN_HOUR
        await set_back.wait()
        clock.moved_by = AN_HOUR
        assert (await runtime.wait("it", timeout=A_MINUTE)).result() == "awake"


async def test_a_timer_fires_although_the_clock_was_set_back_as_it_was_found_due(
    open_runtime: OpenRuntime, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, set_back = MovedClock(), asyncio.Event()
    monkeypatch.setattr(Timers, "_take_due", set_back_before(Timers._take_due, clock, set_back))
    async with open_runtime(make_app(database.parent), clock=clock) as runtime:
        await runtime.start("sleeper", 1800, instance_id="it")
        clock.moved_by = AN_HOUR
        assert (await runtime.wait("it", timeout=A_MINUTE)).result() == "awake"
    assert set_back.is_set()
