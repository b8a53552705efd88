"""Finds out what has not been done in time, where everything has the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from flowyard.clock import Alarm, Clock

T = TypeVar("T", bound=Hashable)


class MonotonicClock:
    """The time of the event loop, which no change of the machine's clock moves."""

    def now(self) -> int:
        return int(asyncio.get_running_loop().time() * 1e6)

    def call_at(self, when: int, callback: Callable[[], None]) -> Alarm:
        return asyncio.get_running_loop().call_at(when / 1e6, callback)


class Deadlines(Generic[T]):
    """Calls back for each item that is still there after so many seconds.

    What was added first is due first, so one alarm does for all: adding and removing are as cheap
    as those of a dictionary.
    """

    def __init__(self, seconds: float, on_late: Callable[[T], None], clock: Clock) -> None:
        self._span = int(seconds * 1e6)
        self._on_late = on_late
        self._clock = clock
        self._due: dict[T, int] = {}
        self._alarm: Alarm | None = None

    def add(self, item: T) -> None:
        """Give an item its time, counted from now."""
        due = self._due[item] = self._clock.now() + self._span
        if self._alarm is None:
            self._alarm = self._clock.call_at(due, self._ring)

    def remove(self, item: T) -> None:
        """Note that an item is done, if it is not known already."""
        self._due.pop(item, None)

    def _ring(self) -> None:
        self._alarm = None
        now = self._clock.now()
        while self._due:
            item, due = next(iter(self._due.items()))
            if due > now:
                if self._alarm is None:
                    self._alarm = self._clock.call_at(due, self._ring)
                return
            del self._due[item]
            self._on_late(item)
