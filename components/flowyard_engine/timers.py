"""When timers are due: those of instances in memory, and the next one on disk."""

from __future__ import annotations

import heapq
from typing import Protocol

from flowyard.backend import NEVER, Alarm, Clock

_MOST_STALE = 20


class OnDue(Protocol):
    """Is told whose timers were due at a time; `on_disk` if some must be read."""

    def __call__(self, now: int, due: set[str], *, on_disk: bool) -> None: ...


class Timers:
    """One alarm of the clock, for the earliest of all timers."""

    def __init__(self, clock: Clock, on_due: OnDue) -> None:
        self._clock = clock
        self._on_due = on_due
        self._timers: dict[str, list[int]] = {}
        """The times of each instance, as a heap: an instance is forgotten at once."""
        self._earliest: list[tuple[int, str]] = []
        """A heap of the earliest time of each instance; entries that do not hold are skipped."""
        self._disk = NEVER
        self._alarm: Alarm | None = None
        self._alarm_at = NEVER
        self._is_stopped = False

    def __len__(self) -> int:
        return sum(map(len, self._timers.values()))

    def add(self, fire_at: int, instance_id: str) -> None:
        """Note a timer of an instance in memory."""
        if fire_at >= NEVER:
            return
        times = self._timers.setdefault(instance_id, [])
        heapq.heappush(times, fire_at)
        if times[0] == fire_at:
            heapq.heappush(self._earliest, (fire_at, instance_id))
            self._set(fire_at)

    def forget(self, instance_id: str) -> None:
        """The instance has closed, has left memory, or goes on without its timers."""
        if self._timers.pop(instance_id, None) is None:
            return
        if len(self._earliest) > 2 * len(self._timers) + _MOST_STALE:
            self._earliest = [(times[0], one) for one, times in self._timers.items()]
            heapq.heapify(self._earliest)

    def on_disk(self, due_at: int) -> None:
        """Note that an instance which is not in memory has something due then."""
        self._disk = min(self._disk, due_at)
        self._set(due_at)

    def cancel(self) -> None:
        """Stop calling."""
        self._is_stopped = True
        if self._alarm is not None:
            self._alarm.cancel()

    def _set(self, when: int) -> None:
        if when < self._alarm_at and not self._is_stopped:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_at = when
            self._alarm = self._clock.call_at(when, self._ring)

    def _ring(self) -> None:
        if self._is_stopped:
            return
        now = self._clock.now()
        self._alarm, self._alarm_at = None, NEVER
        due = self._take_due(now)
        on_disk = self._disk <= now
        if on_disk:
            self._disk = NEVER
        self._set(min(self._earliest[0][0] if self._earliest else NEVER, self._disk))
        if due or on_disk:
            self._on_due(now, due, on_disk=on_disk)

    def _take_due(self, now: int) -> set[str]:
        due: set[str] = set()
        while self._earliest and self._earliest[0][0] <= now:
            fire_at, instance_id = heapq.heappop(self._earliest)
            times = self._timers.get(instance_id)
            if times is None or times[0] != fire_at:
                continue
            while times and times[0] <= now:
                heapq.heappop(times)
            due.add(instance_id)
            if times:
                heapq.heappush(self._earliest, (times[0], instance_id))
            else:
                del self._timers[instance_id]
        return due
