"""The disk: real SQL, on a database that outlives every process, at the times that are drawn."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, TypeVar

from flowyard.errors import BackendUnavailable
from flowyard.machine import Machine
from flowyard_engine.lease import Lease
from flowyard_engine.migrations import migrate
from flowyard_engine.open_file import OpenFile
from flowyard_engine.settings import EngineSettings
from flowyard_engine.store import Commit, Loaded, Message, Outcome
from flowyard_engine.transactions import Transactions
from flowyard_engine.writer import _answer, _Job, _Turn
from simulation.loop import SimulatedLoop
from simulation.trace import Trace
from simulation.world import World

T = TypeVar("T")

_LOOK_INTERVAL = 100_000
_LONGEST_WRITE = 4_000
_LONGEST_READ = 3_000
_LONGEST_TELLINGS = (750, 750, 750, 20_000)
_MOST_STATEMENTS = 50_000
_MOST_OF_ALL = 200_000
"""Of a whole seed: with some faults its work grows and grows, though no transaction is endless."""
_LONGEST_TROUBLE = 2_000
ENDLESS = "what is written does not come to its end"
_FULL = "database or disk is full"
_REFUSALS = ("disk I/O error", _FULL)


def is_refusal(text: str) -> bool:
    """Whether an error, or what the log says of it, comes of a transaction that was refused."""
    return any(refusal in text for refusal in _REFUSALS)


class Storage(ABC):
    """What outlives every process, and refuses a share of what is to be written."""

    def __init__(self, world: World, trace: Trace) -> None:
        self.world = world
        self.trace = trace
        self.commits = 0
        self.share_of_refusals = 0.0
        """How many of the beginnings and ends of transactions are refused, as by a disk in need."""
        self._refuses_until = 0

    @abstractmethod
    def close(self) -> None:
        """Forget everything."""

    def draw_refusal(self) -> str | None:
        """Return why nothing can be written, now or for a moment from now on; None if it can."""
        choices, now = self.world.choices, self.world.now
        if choices.random() < self.share_of_refusals:
            self._refuses_until = now + self.world.draw(_LONGEST_TROUBLE)
        elif now > self._refuses_until:
            return None
        return choices.choice(_REFUSALS)


class Disk(Storage):
    """One database, as what was committed has left it."""

    def __init__(self, world: World, machine: Machine, trace: Trace) -> None:
        super().__init__(world, trace)
        self.version = self.statements = 0
        self.longest_telling = world.choices.choice(_LONGEST_TELLINGS)
        """How long what was read may be on its way to who has asked, and others write meanwhile."""
        self.connection: sqlite3.Connection = sqlite3.connect(
            ":memory:", isolation_level=None, factory=_Connection
        )
        self.connection.disk = self
        migrate(self.connection, Lease(1.0, machine))

    def close(self) -> None:
        self.connection.close()

    def refuse_some(self) -> None:
        """Raise what SQLite does where nothing can be written."""
        refusal = self.draw_refusal()
        if refusal is None:
            return
        if refusal == _FULL and self.connection.in_transaction:
            # Of some errors SQLite rolls back itself.
            self.connection.execute("ROLLBACK")
        raise sqlite3.OperationalError(refusal)


class _Connection(sqlite3.Connection):
    """The one connection, which counts its commits and outlives who closes it."""

    disk: Disk
    statements = 0

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self.statements = 0 if sql.startswith("BEGIN") else self.statements + 1
        self.disk.statements += 1
        is_endless = self.statements > _MOST_STATEMENTS or self.disk.statements > _MOST_OF_ALL
        if is_endless and sql != "ROLLBACK" and self.in_transaction:
            raise RuntimeError(ENDLESS)
        if self.disk.share_of_refusals and (sql == "COMMIT" or sql.startswith("BEGIN")):
            self.disk.refuse_some()
        if sql == "COMMIT":
            self.disk.commits += 1
        return super().execute(sql, *arguments)

    def close(self) -> None:
        """Processes come and go; the database stays."""


class _NoFile(OpenFile):
    def __init__(self) -> None:
        """There is no file that could be lost."""

    def check(self) -> None:
        """It is always there."""

    @property
    def log_size(self) -> int:
        return 0


class SimulatedWriter:
    """Writes in the order in which it is asked to, as much together as is drawn."""

    def __init__(
        self,
        disk: Disk,
        loop: SimulatedLoop,
        lease: Lease,
        settings: EngineSettings,
        machine: Machine,
        logger: logging.Logger,
    ) -> None:
        self._disk = disk
        self._world = disk.world
        self._loop = loop
        self._lease = lease
        self._fence: int | None = None
        self._name = machine.process
        self._transactions = Transactions(
            disk.connection, lease, _NoFile(), settings, machine, logger
        )
        self._transactions.on_lease_lost = self._tell_lost
        self._logger = logger
        self._queue: list[_Turn | _Job] = []
        self._is_called = False
        self._is_stopped = False
        self._seen = disk.version
        self._woken: Callable[[], None] = lambda: None
        self._lost: Callable[[], None] = lambda: None
        self._world.after(self._world.draw(_LOOK_INTERVAL), self._look)

    def listen(self, woken: Callable[[], None], lost: Callable[[], None]) -> None:
        self._woken, self._lost = woken, lost

    def submit(self, commit: Commit, done: Callable[[Outcome], None]) -> None:
        self._put(_Turn(commit, done))

    async def run(
        self,
        job: Callable[[sqlite3.Connection], T],
        written: Callable[[T], None] = lambda _: None,
    ) -> T:
        if self._is_stopped:
            raise BackendUnavailable("the component was closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._put(_Job(job, written, future))
        return await future

    async def stop(self) -> None:
        """Write what is queued, and nothing that comes later."""
        with suppress(BackendUnavailable):
            await self.run(lambda _: None)
        self._is_stopped = True

    def _put(self, item: _Turn | _Job) -> None:
        self._queue.append(item)
        self._call()

    def _call(self) -> None:
        if not self._is_called and self._queue:
            self._is_called = True
            self._world.after(self._world.draw(_LONGEST_WRITE), self._write)

    def _write(self) -> None:
        loop, world = self._loop, self._world
        if loop.is_dead:
            return
        if loop.frozen_until > world.now:
            world.at(loop.frozen_until, self._write)
            return
        self._is_called = False
        self._disk.version += 1
        self._seen += 1
        first = self._queue[0]
        if isinstance(first, _Job):
            del self._queue[0]
            answer = self._transactions.run(first.run, first.written)
            self._note_lease()
            self._answer(lambda: _answer(first.future, answer))
        else:
            most = world.choices.choice((1, 4, 100))
            turns: list[_Turn] = []
            for item in self._queue:
                if isinstance(item, _Job) or len(turns) == most:
                    break
                turns.append(item)
            del self._queue[: len(turns)]
            outcomes = self._transactions.write_turns([turn.commit for turn in turns])
            self._note_lease()
            for turn, outcome in zip(turns, outcomes, strict=True):
                text = _told(turn.commit, outcome)
                self._disk.trace.note(self._name, text, turn.commit.record.id)
                self._answer(lambda turn=turn, outcome=outcome: turn.done(outcome))  # type: ignore[misc]
        self._call()

    def _note_lease(self) -> None:
        if self._fence != self._lease.fence:
            self._fence = self._lease.fence
            text = "is not the owner" if self._fence is None else f"is the owner, #{self._fence}"
            self._disk.trace.note(self._name, text)

    def _answer(self, tell: Callable[[], None]) -> None:
        """Tell the loop, in the order of what was written."""
        self._loop.call_soon(tell)

    def _tell_lost(self) -> None:
        self._loop.call_soon(self._lost)

    def _look(self) -> None:
        loop, world = self._loop, self._world
        if loop.is_dead or self._is_stopped:
            return
        world.after(_LOOK_INTERVAL, self._look)
        if loop.frozen_until > world.now:
            return
        self._transactions.look()
        self._note_lease()
        if self._seen != self._disk.version:
            self._seen = self._disk.version
            loop.call_soon(self._woken)


class SimulatedReader:
    """Reads what is committed when it is its turn."""

    def __init__(self, disk: Disk, loop: SimulatedLoop, name: str) -> None:
        self._disk = disk
        self._loop = loop
        self._name = name
        self._free_at = self._told_at = 0

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        world = self._disk.world
        # One thing after the other, as one thread does.
        self._free_at = max(self._free_at, world.now) + world.draw(_LONGEST_READ)
        world.at(self._free_at, lambda: self._read(job, future))
        return await future

    def _read(self, job: Callable[[sqlite3.Connection], Any], future: asyncio.Future[Any]) -> None:
        loop, world = self._loop, self._disk.world
        if loop.is_dead:
            return
        if loop.frozen_until > world.now:
            world.at(loop.frozen_until, lambda: self._read(job, future))
            return
        answer: object
        try:
            answer = job(self._disk.connection)
        except Exception as error:  # noqa: BLE001 - it belongs to who asked
            answer = error
        if isinstance(answer, Loaded):
            instance_id = answer.record.id
            waiting = _listed(instance_id, answer.messages) or "none"
            text = f"reads {answer.turns} turns, messages {waiting}"
            self._disk.trace.note(self._name, text, instance_id)

        def tell() -> None:
            loop.call_soon(_answer, future, answer)

        self._told_at = max(self._told_at, world.now + world.draw(self._disk.longest_telling))
        world.at(self._told_at, tell)


def _told(commit: Commit, outcome: Outcome) -> str:
    """Return what a commit was to write, and how that went."""
    parts = []
    if commit.events:
        kinds = _counted(type(event).__name__ for event in commit.events)
        parts.append(f"turn {commit.turn}: {kinds}")
    if commit.messages:
        parts.append(f"messages {_listed(commit.record.id, commit.messages)}")
    if commit.consumed:
        parts.append(f"takes {len(commit.consumed)} messages from #{commit.consumed[0]}")
    if commit.retired_run is not None:
        parts.append("continues as new")
    if commit.updates or commit.is_new:
        parts.append(f"is {commit.record.status}, wake_at {commit.record.wake_at}")
    if outcome.error is not None:
        parts.append(f"IN VAIN: {outcome.error}")
    elif outcome.taken is not None:
        parts.append(f"IN VAIN: the ID is taken, by one that is {outcome.taken}")
    return f"writes {'; '.join(parts)}"


def _listed(instance_id: str, messages: Sequence[Message]) -> str:
    """Return the kinds of messages with their numbers, and for whom they are if for others."""
    kinds = []
    for message in messages:
        others = "" if message.instance_id == instance_id else f" to {message.instance_id}"
        kinds.append((type(message.event).__name__, others, message.id))
    return ", ".join(
        f"{kind} #{numbers[0]}{f' to #{numbers[-1]}' if len(numbers) > 1 else ''}{others}"
        for (kind, others), numbers in (
            (key, [number for *_, number in group])
            for key, group in groupby(kinds, lambda item: item[:2])
        )
    )


def _counted(kinds: Iterable[str]) -> str:
    """Return a list in which what comes several times in a row is said once."""
    runs = ((kind, len(list(run))) for kind, run in groupby(kinds))
    return ", ".join(kind if count == 1 else f"{count} {kind}" for kind, count in runs)
