"""Who of the connected workers gets which of the work that waits."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator

from flowyard.executors.work import KINDS, Work, is_stall
from flowyard.executors.worker_streams import WorkerStream

logger = logging.getLogger(__name__)

_MOST_OBSTACLES = 1000


class QueueClosed(Exception):
    """No more work is given out, for good."""


class Assignments:
    """Gives the oldest work to the worker that has been idle for the longest.

    A worker has no more in hand than its credit. What not every worker may take is set aside, so
    that nobody has to look through it for what comes behind.
    """

    def __init__(self) -> None:
        self.streams: dict[str, WorkerStream] = {}
        self._queued: tuple[OrderedDict[str, Work], ...] = (OrderedDict(), OrderedDict())
        self._aside: dict[str, Work] = {}
        # A worker that waits is in each for what it has credit; the longest idle comes first.
        self._idle: tuple[dict[WorkerStream, None], ...] = ({}, {})
        self._obstacles: set[str] = set()
        self._is_stopped = self._is_closed = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        turns, activities = self._queued
        return not (turns or activities or self._aside)

    def stop(self) -> None:
        """Give out no more work."""
        self._is_stopped = True

    def close(self) -> None:
        """Tell all workers that there will be no more work."""
        self._is_stopped = self._is_closed = True
        for stream in self.streams.values():
            if stream.waiting is not None and not stream.waiting.done():
                stream.waiting.set_exception(QueueClosed())

    def connect(self, stream: WorkerStream) -> None:
        """Take a worker into account."""
        self.streams[stream.name] = stream
        self._obstacles.clear()
        for work in self._aside.values():
            if stream.may_take(work):
                stream.aside[work.kind][work.name] = work

    def disconnect(self, stream: WorkerStream) -> None:
        """Forget a worker."""
        del self.streams[stream.name]

    async def next(self, stream: WorkerStream, seconds: float | None) -> Work | None:
        """Return the oldest work that the worker may take; None if none comes for so long."""
        while True:
            if self._is_closed:
                raise QueueClosed
            work = None if self._is_stopped else self._oldest_for(stream)
            if work is None:
                work = await self._wait(stream, seconds)
            if work is None or not work.answer.done():
                return work

    def offer(self, work: Work, *, first: bool = False) -> bool:
        """Give work to a worker that waits for some, or queue it; false if it waits now."""
        if work.answer.done():
            return True
        work.stream = ""
        work.answer.is_taken = False
        if work.refused_by or work.late_with:
            self._put_aside(work)
            return False
        if not self._is_stopped:
            for stream in self._waiting(work.kind):
                if stream.connection.overdue and not stream.may_take(work):
                    self._put_aside(work)
                    return False
                self._give(stream, work)
                return True
        queued = self._queued[work.kind]
        queued[work.name] = work
        if first:
            queued.move_to_end(work.name, last=False)
        return False

    def offer_aside(self) -> None:
        """Offer again what not every worker could take: it may be different now."""
        for work in list(self._aside.values()):
            if not work.answer.done():
                self._put_aside(work)

    def fill(self, stream: WorkerStream, kind: int) -> None:
        """Give a worker that waits what it has credit for again."""
        if self._is_stopped or stream.waiting is None or stream.waiting.done():
            return
        if (work := self._oldest_for(stream)) is not None:
            self._give(stream, work)
        elif stream.has_room(kind):
            self._idle[kind].setdefault(stream)

    def remove(self, work: Work) -> None:
        """Forget work that waits no longer."""
        self._queued[work.kind].pop(work.name, None)
        if self._aside.pop(work.name, None) is not None:
            for stream in self.streams.values():
                stream.aside[work.kind].pop(work.name, None)

    def _put_aside(self, work: Work) -> None:
        """Offer what not every worker may take to those that may."""
        self.remove(work)
        able = [stream for stream in self.streams.values() if stream.may_take(work)]
        if not able and work.late_with:
            # Nobody has answered in time: ask the same again.
            work.late_with = frozenset()
            able = [stream for stream in self.streams.values() if stream.may_take(work)]
        if not self._is_stopped:
            if self._is_refused_by_all(work):
                work.answer.set_result(work.refusal)
                return
            for stream in self._waiting(work.kind):
                if stream.may_take(work):
                    self._give(stream, work)
                    return
        self._aside[work.name] = work
        for stream in able:
            stream.aside[work.kind][work.name] = work
        if not able and work.obstacle is not None and work.obstacle not in self._obstacles:
            if len(self._obstacles) < _MOST_OBSTACLES:
                self._obstacles.add(work.obstacle)
            logger.warning("instance '%s': %s", work.request.instance_id, work.obstacle)

    def _is_refused_by_all(self, work: Work) -> bool:
        """Whether it is to come to what was said of it in case that nobody can run it."""
        if work.refusal is None or work.obstacle is not None:
            return False
        # A failure is for good: it takes a worker that is there.
        is_asked = bool(self.streams) or is_stall(work.refusal)
        return is_asked and self.streams.keys() <= work.refused_by

    def _waiting(self, kind: int) -> Iterator[WorkerStream]:
        """Return who waits for work of a kind, the longest idle first."""
        for stream in self._idle[kind]:
            # One that leaves has stopped waiting, and does not know of it yet.
            if stream.waiting is not None and not stream.waiting.done():
                yield stream

    def _give(self, stream: WorkerStream, work: Work) -> None:
        for idle in self._idle:
            idle.pop(stream, None)
        assert stream.waiting is not None  # noqa: S101  # who is idle waits
        stream.waiting.set_result(work)

    async def _wait(self, stream: WorkerStream, seconds: float | None) -> Work | None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Work | None] = loop.create_future()
        stream.waiting = waiting
        end = None if seconds is None else loop.call_later(seconds, _give_up, waiting)
        for kind in KINDS:
            if stream.has_room(kind):
                self._idle[kind][stream] = None
        try:
            return await waiting
        except asyncio.CancelledError:
            is_given = waiting.done() and not waiting.cancelled() and waiting.exception() is None
            if is_given and (work := waiting.result()) is not None:
                self.offer(work, first=True)
            raise
        finally:
            if end is not None:
                end.cancel()
            stream.waiting = None
            for idle in self._idle:
                idle.pop(stream, None)

    def _oldest_for(self, stream: WorkerStream) -> Work | None:
        """Take the oldest work that the worker may have off the queue."""
        if self.is_empty:
            return None
        oldest: Work | None = None
        for kind in KINDS:
            if not stream.has_room(kind):
                continue
            for work in (self._first_queued(stream, kind), self._first_aside(stream, kind)):
                if work is not None and (oldest is None or work.number < oldest.number):
                    oldest = work
        if oldest is not None:
            self.remove(oldest)
        return oldest

    def _first_queued(self, stream: WorkerStream, kind: int) -> Work | None:
        queued = self._queued[kind]
        while queued:
            work = next(iter(queued.values()))
            if work.answer.done():
                del queued[work.name]
            elif stream.connection.overdue and not stream.may_take(work):
                self._put_aside(work)
            else:
                return work
        return None

    def _first_aside(self, stream: WorkerStream, kind: int) -> Work | None:
        aside = stream.aside[kind]
        while aside:
            work = next(iter(aside.values()))
            if stream.may_take(work) and not work.answer.done():
                return work
            del aside[work.name]
        return None


def _give_up(waiting: asyncio.Future[Work | None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
