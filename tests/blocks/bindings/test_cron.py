"""`bindings.cron` on a clock of its own (docs/protocol.md §17)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from blocks.bindings.opening import opened
from flowyard.backend import BindingEvent, ConfigurationError, FlowyardError
from flowyard.config import ComponentSpec
from flowyard.testing import VirtualClock
from flowyard.testing.conformance import BindingConformance
from flowyard_blocks.bindings.schedules import Schedule

_SECOND = timedelta(seconds=1)


class TestConformance(BindingConformance):
    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        return ComponentSpec(name="cron", type="bindings.cron", metadata={"schedule": "@every 1s"})

    @pytest.fixture
    def provoke(self, clock: VirtualClock) -> Callable[[], Awaitable[None]]:
        async def advance() -> None:
            clock.advance(_SECOND)

        return advance


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("@every 10s", "2030-01-01 00:00:17"),
        ("@every 1h30m", "2030-01-01 01:30:07"),
        ("@every 1ms", "2030-01-01 00:00:08"),
        ("@hourly", "2030-01-01 01:00:00"),
        ("@daily", "2030-01-02 00:00:00"),
        ("@midnight", "2030-01-02 00:00:00"),
        ("@weekly", "2030-01-06 00:00:00"),
        ("@monthly", "2030-02-01 00:00:00"),
        ("@yearly", "2031-01-01 00:00:00"),
        ("@annually", "2031-01-01 00:00:00"),
        ("*/15 * * * *", "2030-01-01 00:15:00"),
        ("30 4 1,15 * *", "2030-01-01 04:30:00"),
        ("*/3 * * * * *", "2030-01-01 00:00:09"),
        ("0 30 9 ? * MON-FRI", "2030-01-01 09:30:00"),
        # A day of the month or of the week, and not both: `*/2` chooses days, too.
        ("0 0 13 * 5", "2030-01-04 00:00:00"),
        ("0 0 */2 * 1", "2030-01-03 00:00:00"),
        ("0 0 * * 1", "2030-01-07 00:00:00"),
        ("CRON_TZ=America/New_York 0 6 * * *", "2030-01-01 11:00:00"),
        ("TZ=Asia/Tokyo 0 6 * * *", "2030-01-01 21:00:00"),
    ],
)
def test_a_schedule_says_when_it_is_due(schedule: str, due: str) -> None:
    now = datetime(2030, 1, 1, 0, 0, 7, 500_000, tzinfo=UTC)
    assert Schedule(schedule).after(now) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * *",
        "61 * * * *",
        "0 0 31 2 *",
        "@every soon",
        "@every",
        "@often",
        "CRON_TZ=No/Where 0 0 * * *",
    ],
)
async def test_a_schedule_that_cannot_be_used_is_refused(schedule: str) -> None:
    with pytest.raises(ConfigurationError, match="'schedule' cannot be used"):
        async with opened("cron", schedule=schedule):
            pass


async def test_each_tick_tells_its_time() -> None:
    clock = VirtualClock()
    events: list[BindingEvent] = []

    async def take(event: BindingEvent) -> None:
        events.append(event)

    async with opened("cron", clock, schedule="*/20 * * * * *") as cron, cron.binding.read(take):
        for _ in range(60):
            clock.advance(_SECOND)
            await asyncio.sleep(0)
    assert [event.metadata["readTimeUTC"] for event in events] == [
        "2030-01-01 00:00:20.000000 +0000 UTC",
        "2030-01-01 00:00:40.000000 +0000 UTC",
        "2030-01-01 00:01:00.000000 +0000 UTC",
    ]
    assert {event.metadata["timeZone"] for event in events} == {"UTC"}
    assert {event.data for event in events} == {b""}


async def test_a_tick_that_is_not_taken_is_told_and_the_next_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, taken = VirtualClock(), 0

    async def take(_event: BindingEvent) -> None:
        nonlocal taken
        taken += 1
        raise FlowyardError("the application answered 500")

    async with opened("cron", clock, schedule="@every 1s") as cron, cron.binding.read(take):
        for _ in range(3):
            clock.advance(_SECOND)
            await asyncio.sleep(0)
    assert taken == 3
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        "a tick was not taken: the application answered 500"
    ] * 3


async def test_ticks_do_not_wait_for_each_other_but_do_not_pile_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, begun, ended = VirtualClock(), 0, 0

    async def never(_event: BindingEvent) -> None:
        nonlocal begun, ended
        begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1

    async with opened("cron", clock, schedule="@every 1s") as cron, cron.binding.read(never):
        for _ in range(12):
            clock.advance(_SECOND)
            await asyncio.sleep(0)
        assert (begun, ended) == (10, 0)
    assert ended == 10
    assert caplog.text.count("a tick is left out") == 2


async def test_time_that_was_slept_through_is_one_tick() -> None:
    clock, taken = VirtualClock(), 0

    async def take(_event: BindingEvent) -> None:
        nonlocal taken
        taken += 1

    async with opened("cron", clock, schedule="@every 1s") as cron, cron.binding.read(take):
        # As after a suspended machine: no alarm has rung meanwhile.
        clock._now += 3_600_000_000
        clock.advance(timedelta(0))
        await asyncio.sleep(0)
        assert taken == 1
        clock.advance(_SECOND)
        await asyncio.sleep(0)
        assert taken == 2
