"""Time as an argument, so that a test can skip it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Alarm(Protocol):
    """A pending call of a clock."""

    def cancel(self) -> None:
        """Make sure that the call does not happen any more."""


class Clock(Protocol):
    """Where components read the time and ask to be called at one."""

    def now(self) -> int:
        """Return microseconds since the Unix epoch, UTC."""

    def call_at(self, when: int, callback: Callable[[], None]) -> Alarm:
        """Call back on the running event loop once `now()` has reached `when`."""


class SystemClock:
    """The machine's own time."""

    # Event loops refuse delays beyond what their selector can wait; wake up and look again.
    _LONGEST_DELAY = 24 * 3600.0

    def now(self) -> int:
        return time.time_ns() // 1000

    def call_at(self, when: int, callback: Callable[[], None]) -> Alarm:
        delay = max((when - self.now()) / 1e6, 0.0)
        return asyncio.get_running_loop().call_later(min(delay, self._LONGEST_DELAY), callback)
