"""Says what has waited for a worker for long: nothing else would tell why an instance rests."""

from __future__ import annotations

import logging

from flowyard.backend.executor import ActivityTask
from flowyard.clock import Alarm, Clock
from flowyard.executors.deadlines import Deadlines
from flowyard.executors.work import Work

logger = logging.getLogger(__name__)

UNSERVED_SECONDS = 60.0
_GATHER_MICROSECONDS = 1_000_000


class Unserved:
    """Names work that no worker has taken in a minute, in a line a minute at most."""

    def __init__(self, component: str, clock: Clock) -> None:
        self._component = component
        self._clock = clock
        self._waiting: Deadlines[Work] = Deadlines(UNSERVED_SECONDS, self._late, clock)
        self._late_works: list[Work] = []
        self._alarm: Alarm | None = None
        self._next_at = 0

    def add(self, work: Work) -> None:
        """Begin to wait for a worker."""
        self._waiting.add(work)

    def remove(self, work: Work) -> None:
        """A worker has it, or nobody wants it any more."""
        self._waiting.remove(work)

    def _late(self, work: Work) -> None:
        self._late_works.append(work)
        if self._alarm is None:
            # What is late together is told together.
            at = max(self._clock.now() + _GATHER_MICROSECONDS, self._next_at)
            self._alarm = self._clock.call_at(at, self._tell)

    def _tell(self) -> None:
        self._alarm = None
        late = [work for work in self._late_works if not (work.answer.done() or work.stream)]
        self._late_works.clear()
        if not late:
            return
        self._next_at = self._clock.now() + int(UNSERVED_SECONDS * 1e6)
        request = late[0].request
        logger.warning(
            "component '%s': instance '%s' has waited for a worker that runs %s for more than "
            "%g s%s. Connect a worker that does",
            self._component,
            request.instance_id,
            f"activity '{request.name}'" if isinstance(request, ActivityTask) else "its turn",
            UNSERVED_SECONDS,
            f", and {len(late) - 1} other tasks wait as well" if len(late) > 1 else "",
        )
