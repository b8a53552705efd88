"""Time as an argument, so that a test can skip it."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol
from weakref import WeakKeyDictionary


class Alarm(Protocol):
    """A pending call of a clock, as `Clock.call_at` returns it."""

    def cancel(self) -> None:
        """Make sure that the call does not happen any more; once it has, nothing changes."""


class Clock(Protocol):
    """Where components read the time and ask to be called at one."""

    def now(self) -> int:
        """Return microseconds since the Unix epoch, UTC."""

    def call_at(self, when: int, callback: Callable[[], None]) -> Alarm:
        """Call back on the running event loop once a time has come.

        Args:
            when: The time, in microseconds since the Unix epoch. If it has come, the call follows
                at once, but not within this one.
            callback: Called once, without arguments.

        Returns:
            What cancels the call.
        """


class SystemClock:
    """The machine's own time.

    An event loop sleeps in monotonic time, which does not know that somebody has set the machine's
    clock, or that the machine was suspended. So the clock is looked at once a second while an alarm
    is set, once for all alarms.
    """

    def __init__(self) -> None:
        self._alarms: WeakKeyDictionary[asyncio.AbstractEventLoop, _SystemAlarms]
        self._alarms = WeakKeyDictionary()

    def now(self) -> int:
        """Return microseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1000

    def call_at(self, when: int, callback: Callable[[], None]) -> Alarm:
        """Call back on the running event loop once the time is reached, at once if it is."""
        loop = asyncio.get_running_loop()
        alarms = self._alarms.get(loop)
        if alarms is None:
            alarms = self._alarms[loop] = _SystemAlarms(self.now)
        return alarms.add(when, callback)


_LOOK_SECONDS = 1.0
_MOST_CANCELLED = 100


class _SystemAlarm:
    __slots__ = ("_alarms", "callback")

    def __init__(self, alarms: _SystemAlarms, callback: Callable[[], None]) -> None:
        self._alarms = alarms
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._alarms.cancelled()

    def ring(self) -> None:
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()


class _SystemAlarms:
    """The alarms of one event loop, of which one call of the loop looks after all."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._heap: list[tuple[int, int, _SystemAlarm]] = []
        self._order = count()
        self._cancelled = 0
        self._look_at = 0
        self._look: asyncio.TimerHandle | None = None

    def add(self, when: int, callback: Callable[[], None]) -> _SystemAlarm:
        alarm = _SystemAlarm(self, callback)
        heapq.heappush(self._heap, (when, next(self._order), alarm))
        if self._look is None or when < self._look_at:
            self._sleep()
        return alarm

    def cancelled(self) -> None:
        """One of the alarms will not ring; it may have left the heap to ring."""
        self._cancelled += 1
        if self._cancelled > _MOST_CANCELLED and 2 * self._cancelled > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _ring_due(self) -> None:
        self._look = None
        now, loop = self._now(), asyncio.get_running_loop()
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].callback is None):
            # One by one through the loop: a callback that fails does not keep others from ringing.
            loop.call_soon(heapq.heappop(self._heap)[2].ring)
        self._sleep()

    def _sleep(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self._heap:
            now, (when, _, _) = self._now(), self._heap[0]
            delay = min(max((when - now) / 1e6, 0.0), _LOOK_SECONDS)
            self._look_at = max(when, now)
            self._look = asyncio.get_running_loop().call_later(delay, self._ring_due)
