"""What Temporal shows of a hosted workflow's timers."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from flowyard.backend.history import TimerCreated
from flowyard.backend.timestamps import NEVER, to_microseconds
from flowyard_temporal.hosted.summaries import summary_of, timer_of

AT = to_microseconds(datetime(2026, 11, 28, 12, 30, tzinfo=UTC))
UNTIL = "until 2026-11-28T12:30:00.000000+00:00"


@pytest.mark.parametrize(
    ("timer", "summary"),
    [
        (TimerCreated(3, AT), f"timer #3 {UNTIL}"),
        (
            TimerCreated(4, AT + 1, "event", "approval"),
            "timeout of event 'approval' #4 until 2026-11-28T12:30:00.000001+00:00",
        ),
        (
            TimerCreated(5, AT, "activity-retry", "charge", 2),
            f"retry of activity 'charge' #5 (first called as #2) {UNTIL}",
        ),
        (
            TimerCreated(6, AT, "child-retry", "pack", 1),
            f"retry of child workflow 'pack' #6 (first called as #1) {UNTIL}",
        ),
    ],
)
def test_a_summary_is_a_sentence_that_can_be_read_back(timer: TimerCreated, summary: str) -> None:
    assert summary_of(timer) == summary
    assert timer_of(summary) == timer


@pytest.mark.parametrize("name", ["", "it's", "a' #1 until b", "two\nlines", None])
@pytest.mark.parametrize("fire_at", [to_microseconds(datetime.min), -1, 0, NEVER - 1])
def test_every_timer_can_be_read_back(name: str | None, fire_at: int) -> None:
    for timer in (
        TimerCreated(7, fire_at, "event", name),
        TimerCreated(7, fire_at, "child-retry", name, 3),
    ):
        assert timer_of(summary_of(timer)) == timer


def test_summaries_of_earlier_versions_can_be_read() -> None:
    timer = TimerCreated(5, AT, "activity-retry", "charge", 2)
    assert timer_of(msgspec.json.encode(timer).decode()) == timer
