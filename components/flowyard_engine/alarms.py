"""When timers are due: those of instances in memory, and the next one on disk."""

from __future__ import annotations

import heapq
from typing import Protocol

from flowyard.clock import Alarm, Clock
from flowyard.history import NEVER

_MOST_GONE = 100


class OnDue(Protocol):
    """Is told which instances have timers that are due; `on_disk` if some must be read."""

    def __call__(self, due: set[str], *, on_disk: bool) -> None: ...


class Alarms:
    """One alarm of the clock, for the earliest of all timers."""

    def __init__(self, clock: Clock, on_due: OnDue) -> None:
        self._clock = clock
        self._on_due = on_due
        self._heap: list[tuple[int, str]] = []
        self._noted: set[tuple[int, str]] = set()
        """What is in the heap: an instance that is read again brings its timers again."""
        self._gone: set[str] = set()
        self._disk = NEVER
        self._alarm: Alarm | None = None
        self._alarm_at = NEVER

    def add(self, fire_at: int, instance_id: str) -> None:
        """Note a timer of an instance in memory."""
        self._gone.discard(instance_id)
        timer = (fire_at, instance_id)
        if fire_at < NEVER and timer not in self._noted:
            self._noted.add(timer)
            heapq.heappush(self._heap, timer)
            self._set(fire_at)

    def forget(self, instance_id: str) -> None:
        """The instance has left memory: its timers do so together with those of others."""
        self._gone.add(instance_id)
        if len(self._gone) > _MOST_GONE and 2 * len(self._gone) > len(self._heap):
            self._heap = [timer for timer in self._heap if timer[1] not in self._gone]
            heapq.heapify(self._heap)
            self._noted = set(self._heap)
            self._gone.clear()

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
            timer = heapq.heappop(self._heap)
            self._noted.discard(timer)
            due.add(timer[1])
        on_disk = self._disk <= now
        if on_disk:
            self._disk = NEVER
        self._set(min(self._heap[0][0] if self._heap else NEVER, self._disk))
        if due or on_disk:
            self._on_due(due, on_disk=on_disk)
