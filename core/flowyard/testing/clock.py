"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from flowyard.backend.timestamps import NEVER, to_datetime, to_microseconds

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
"""Where a virtual clock starts: a fixed instant, so that every run of a test is the same."""


class _VirtualAlarm:
    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    @property
    def is_set(self) -> bool:
        return self._callback is not None

    def cancel(self) -> None:
        self._callback = None

    def ring(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class VirtualClock:
    """A `flowyard.clock.Clock` whose time passes only by `advance`.

    Alarms ring in the order of their times (of their creation, where times are equal), each while
    `now()` is its own time.

    Args:
        start: The time at first; a naive one is UTC. By default 2030-01-01, so that every run of a
            test is the same.
    """

    def __init__(self, start: datetime = EPOCH) -> None:
        self._now = to_microseconds(start)
        self._alarms: list[tuple[int, int, _VirtualAlarm]] = []
        self._order = count()

    def now(self) -> int:
        """Return microseconds since the Unix epoch, UTC."""
        return self._now

    @property
    def time(self) -> datetime:
        """The time as an aware datetime in UTC."""
        return to_datetime(self._now)

    def call_at(self, when: int, callback: Callable[[], None]) -> _VirtualAlarm:
        """Call back once a time is reached, on the next round of the event loop if it is.

        Args:
            when: The time, in microseconds since the Unix epoch.
            callback: Called once, without arguments.

        Returns:
            What cancels the call.
        """
        alarm = _VirtualAlarm(callback)
        heapq.heappush(self._alarms, (when, next(self._order), alarm))
        if when <= self._now:
            asyncio.get_running_loop().call_soon(self._ring_due)
        return alarm

    @property
    def next_alarm(self) -> int | None:
        """The time of the next alarm, in microseconds since the Unix epoch; None if none is set."""
        while self._alarms and not self._alarms[0][2].is_set:
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms and self._alarms[0][0] < NEVER else None

    @property
    def is_due(self) -> bool:
        """True while an alarm whose time has come has not rung yet."""
        upcoming = self.next_alarm
        return upcoming is not None and upcoming <= self._now

    def advance(self, by: timedelta) -> None:
        """Let time pass and ring what falls due on the way.

        Args:
            by: The time that passes; a negative one changes nothing.
        """
        self.advance_to(self._now + by // timedelta(microseconds=1))

    def advance_to(self, when: int) -> None:
        """Let time pass up to a time, and ring what falls due on the way.

        Args:
            when: The time, in microseconds since the Unix epoch; one that has gone by changes
                nothing.
        """
        while (upcoming := self.next_alarm) is not None and upcoming <= when:
            self._now = max(self._now, upcoming)
            self._ring_due()
        self._now = max(self._now, when)

    def _ring_due(self) -> None:
        while self.is_due:
            heapq.heappop(self._alarms)[2].ring()
