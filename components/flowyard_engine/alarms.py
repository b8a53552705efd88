"""When timers are due: those of instances in memory, and the next one on disk."""

from __future__ import annotations

import heapq
from typing import Protocol

from flowyard.clock import Alarm, Clock
from flowyard.history import NEVER


class OnDue(Protocol):
    """Is told which instances have timers that are due; `on_disk` if some must be read."""

    def __call__(self, due: set[str], *, on_disk: bool) -> None: ...


class Alarms:
    """One alarm of the clock, for the earliest of all timers."""

    def __init__(self, clock: Clock, on_due: OnDue) -> None:
        self._clock = clock
        self._on_due = on_due
        self._heap: list[tuple[int, str]] = []
        self._disk = NEVER
        self._alarm: Alarm | None = None
        self._alarm_at = NEVER

    def add(self, fire_at: int, instance_id: str) -> None:
        """Note a timer of an instance in memory."""
        if fire_at < NEVER:
            heapq.heappush(self._heap, (fire_at, instance_id))
            self._set(fire_at)

    def on_disk(self, due_at: int) -> None:
        """Note that an instance which is not in memory has something due then."""
        self._disk = min(self._disk, due_at)
        self._set(due_at)

    def cancel(self) -> None:
        """Stop calling."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = -1

    def _set(self, when: int) -> None:
        if when < self._alarm_at:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_at = when
            self._alarm = self._clock.call_at(when, self._ring)

    def _ring(self) -> None:
        if self._alarm_at < 0:
            return
        now = self._clock.now()
        self._alarm_at = NEVER
        due: set[str] = set()
        while self._heap and self._heap[0][0] <= now:
            due.add(heapq.heappop(self._heap)[1])
        on_disk = self._disk <= now
        if on_disk:
            self._disk = NEVER
        self._set(min(self._heap[0][0] if self._heap else NEVER, self._disk))
        if due or on_disk:
            self._on_due(due, on_disk=on_disk)
