"""A clock that somebody sets."""

from __future__ import annotations

from datetime import timedelta

from flowyard.clock import SystemClock

AN_HOUR = timedelta(hours=1) // timedelta(microseconds=1)


class MovedClock(SystemClock):
    """The machine's clock; `moved_by` says by how many microseconds it was set forward."""

    def __init__(self) -> None:
        super().__init__()
        self.moved_by = 0

    def now(self) -> int:
        return super().now() + self.moved_by
