"""The one thread that writes: all turns that are waiting go into one transaction."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias, TypeVar

from flowyard.backend import BackendUnavailable, Machine
from flowyard_engine.store import Commit, Outcome
from flowyard_engine.transactions import Transactions

T = TypeVar("T")

_MOST_ITEMS = 100
# How often an idle owner looks whether another process has written, in seconds.
_LOOK_SECONDS = 0.1


class _Turn(NamedTuple):
    commit: Commit
    done: Callable[[Outcome], None]


class _Job(NamedTuple):
    run: Callable[[sqlite3.Connection], Any]
    written: Callable[[Any], None]
    future: asyncio.Future[Any]


_Item: TypeAlias = list[_Turn] | _Job | None


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(
        self, transactions: Transactions, machine: Machine, logger: logging.Logger
    ) -> None:
        self._transactions = transactions
        self._machine = machine
        self._logger = logger
        self._is_stopped = False
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._taken: deque[_Item] = deque()
        """What has left the queue and has no answer yet."""
        self._turns: list[_Turn] = []
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="flowyard-writer", daemon=True)
        self._look_at = 0.0
        self._woken: Callable[[], None] = _nothing
        self._lost: Callable[[], None] = _nothing
        transactions.on_lease_lost = self._tell_lost

    def listen(self, woken: Callable[[], None], lost: Callable[[], None]) -> None:
        """Have `woken` and `lost` called on the event loop."""
        self._woken, self._lost = woken, lost

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Write what is queued, then end the thread."""
        self._is_stopped = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, commit: Commit, done: Callable[[Outcome], None]) -> None:
        """Have a turn written; `done` is called on the event loop."""
        if not self._turns:
            # All turns of one round of the loop go over together: waking the thread at the first
            # would make the two wait for each other at every other.
            self._loop.call_soon(self._hand_over)
        self._turns.append(_Turn(commit, done))

    def _hand_over(self) -> None:
        if self._turns:
            turns, self._turns = self._turns, []
            self._queue.put(turns)

    async def run(
        self,
        job: Callable[[sqlite3.Connection], T],
        written: Callable[[T], None] = lambda _: None,
    ) -> T:
        """Run a job in a transaction of its own, after what is queued before it.

        `written` is called in the thread with what the job has returned, once it is on disk.
        """
        if self._is_stopped:
            raise BackendUnavailable("the component was closed: open it again, and repeat the call")
        future: asyncio.Future[T] = self._loop.create_future()
        self._hand_over()
        self._queue.put(_Job(job, written, future))
        return await future

    def _run(self) -> None:
        """The thread. Whatever happens, nobody waits for one that is gone."""
        try:
            self._serve()
        except BaseException as error:
            self._logger.critical("the thread that writes the database has failed", exc_info=True)
            self._tell_lost()
            self._refuse(error)
        finally:
            self._transactions.close()

    def _serve(self) -> None:
        taken = self._taken
        while True:
            taken.extend(self._take())
            while taken:
                turns: list[_Turn] = []
                count = 0
                for item in taken:
                    if not isinstance(item, list):
                        break
                    turns += item
                    count += 1
                self._write_turns(turns)
                for _ in range(count):
                    taken.popleft()
                if taken:
                    job = taken[0]
                    if job is None:
                        return
                    if isinstance(job, _Job):
                        self._write_job(job)
                    taken.popleft()
            if self._machine.monotonic() >= self._look_at:
                self._look()

    def _take(self) -> list[_Item]:
        """Return all that is queued, nothing if nothing comes for a while."""
        items: list[_Item] = []
        with suppress(queue.Empty):
            items.append(self._queue.get(timeout=_LOOK_SECONDS))
            while len(items) < _MOST_ITEMS:
                items.append(self._queue.get_nowait())
        return items

    def _refuse(self, cause: BaseException) -> None:
        """Answer all that comes with an error, until the writer is stopped."""
        error = BackendUnavailable(f"the thread that writes the database has failed: {cause!r}")
        while True:
            item = self._taken.popleft() if self._taken else self._queue.get()
            if item is None:
                return
            if isinstance(item, list):
                failed = [(turn.done, Outcome(error)) for turn in item]
                self._loop.call_soon_threadsafe(self._call_all, failed)
            else:
                self._loop.call_soon_threadsafe(_answer, item.future, error)

    def _look(self) -> None:
        self._look_at = self._machine.monotonic() + _LOOK_SECONDS
        if self._transactions.look():
            self._loop.call_soon_threadsafe(self._woken)

    def _write_job(self, job: _Job) -> None:
        answer = self._transactions.run(job.run, job.written)
        self._loop.call_soon_threadsafe(_answer, job.future, answer)

    def _write_turns(self, turns: list[_Turn]) -> None:
        if turns:
            outcomes = self._transactions.write_turns([turn.commit for turn in turns])
            done = [(turn.done, outcome) for turn, outcome in zip(turns, outcomes, strict=True)]
            self._loop.call_soon_threadsafe(self._call_all, done)

    def _tell_lost(self) -> None:
        self._loop.call_soon_threadsafe(self._lost)

    def _call_all(self, done: list[tuple[Callable[[Outcome], None], Outcome]]) -> None:
        for callback, outcome in done:
            try:
                callback(outcome)
            except Exception:
                # What goes wrong for one must not leave the others waiting.
                self._logger.exception("the result of a commit could not be taken up")


def _answer(future: asyncio.Future[Any], answer: object) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _nothing() -> None:
    """Stand for who listens, until somebody does."""
