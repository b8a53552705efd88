"""The machine's clock: alarms go by the wall clock, whatever is done to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from flowyard.clock import SystemClock
from moved_clock import AN_HOUR, MovedClock

A_MINUTE = 60.0


def noting(names: list[str], name: str) -> Callable[[], None]:
    return lambda: names.append(name)


async def test_an_alarm_rings_once_its_time_has_come() -> None:
    clock = SystemClock()
    rung = asyncio.Event()
    when = clock.now() + 20_000
    clock.call_at(when, rung.set)
    await asyncio.wait_for(rung.wait(), A_MINUTE)
    assert clock.now() >= when


async def test_an_alarm_that_a_jump_of_the_clock_makes_overdue_rings() -> None:
    clock = MovedClock()
    rung = asyncio.Event()
    clock.call_at(clock.now() + AN_HOUR, rung.set)
    clock.moved_by = AN_HOUR
    await asyncio.wait_for(rung.wait(), A_MINUTE)


async def test_alarms_ring_in_the_order_of_their_times() -> None:
    clock = SystemClock()
    rung: list[str] = []
    last = asyncio.Event()
    now = clock.now()
    clock.call_at(now + 30_000, last.set)
    clock.call_at(now + 20_000, noting(rung, "third"))
    clock.call_at(now, noting(rung, "second"))
    clock.call_at(-(2**62), noting(rung, "first"))
    cancelled = clock.call_at(now + 10_000, noting(rung, "never"))
    cancelled.cancel()
    await asyncio.wait_for(last.wait(), A_MINUTE)
    assert rung == ["first", "second", "third"]


async def test_an_alarm_can_be_cancelled_by_one_that_rings_with_it() -> None:
    clock = SystemClock()
    rung: list[str] = []
    last = asyncio.Event()
    now = clock.now()
    clock.call_at(now - 2, lambda: other.cancel())
    other = clock.call_at(now - 1, noting(rung, "other"))
    clock.call_at(now, last.set)
    await asyncio.wait_for(last.wait(), A_MINUTE)
    assert rung == []


async def test_an_alarm_that_fails_keeps_no_other_from_ringing() -> None:
    clock = SystemClock()
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(context["exception"])
    )
    rung = asyncio.Event()
    failure = ValueError("as it should")

    def fail() -> None:
        raise failure

    clock.call_at(clock.now() - 1, fail)
    clock.call_at(clock.now(), rung.set)
    await asyncio.wait_for(rung.wait(), A_MINUTE)
    assert failures == [failure]


@pytest.mark.parametrize("count", [10_000])
async def test_one_call_of_the_loop_looks_after_all_alarms(count: int) -> None:
    clock = SystemClock()
    rung = asyncio.Event()
    far = [clock.call_at(clock.now() + AN_HOUR, lambda: None) for _ in range(count)]
    clock.call_at(clock.now(), rung.set)
    await asyncio.wait_for(rung.wait(), A_MINUTE)
    for alarm in far:
        alarm.cancel()
    clock.call_at(clock.now(), rung.set)
    rung.clear()
    await asyncio.wait_for(rung.wait(), A_MINUTE)


def test_one_clock_serves_several_loops_after_one_another() -> None:
    clock = SystemClock()

    async def ring() -> None:
        rung = asyncio.Event()
        clock.call_at(clock.now() + AN_HOUR, lambda: None)
        clock.call_at(clock.now() + 1_000, rung.set)
        await asyncio.wait_for(rung.wait(), A_MINUTE)

    for _ in range(2):
        asyncio.run(ring())
