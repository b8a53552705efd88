"""A live instance: what the owner keeps in memory of it between turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from flowyard.executor import TurnResult
from flowyard.history import EventRaised, ExecutionStarted, ExecutionTerminated, HistoryEvent
from flowyard.journal import Journal
from flowyard.models import ReusePolicy
from flowyard_engine.store import Message, Record

_MOST_MESSAGES = 10_000


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event for an instance; `ack` is resolved with whether it was admitted, once durable."""

    event: HistoryEvent
    ack: asyncio.Future[bool] | None = None
    message_id: int = 0
    execution_id: str | None = None
    """The execution that asked for it; None if it is for whichever runs."""

    @property
    def is_kept(self) -> bool:
        """Whether somebody is told of it once it is stored, before a worker has run its turn."""
        return self.ack is not None and isinstance(self.event, (ExecutionStarted, EventRaised))

    def acknowledge(self, admitted: bool) -> None:
        """Tell who waits that the event is settled."""
        if self.ack is not None and not self.ack.done():
            self.ack.set_result(admitted)

    def refuse(self, error: Exception) -> None:
        """Tell who waits that the event was not written."""
        if self.ack is not None and not self.ack.done():
            self.ack.set_exception(error)


class Batch(msgspec.Struct, gc=False):
    """What one turn has taken from the inbox; `consumed` are the stored messages among it."""

    admitted: list[Entry]
    redundant: Sequence[Entry] = ()
    consumed: Sequence[int] = ()

    def acknowledge(self) -> None:
        """Tell everybody how it went, once it is durable."""
        for entry in self.admitted:
            entry.acknowledge(True)
        for entry in self.redundant:
            entry.acknowledge(False)

    def refuse(self, error: Exception) -> None:
        """Tell everybody that it was not written."""
        for entry in (*self.admitted, *self.redundant):
            entry.refuse(error)


class Instance:
    """One active instance. While a turn of it is computed or written, events wait in its inbox."""

    __slots__ = (
        "busy",
        "changes",
        "inbox",
        "is_new",
        "is_woken",
        "journal",
        "later",
        "messages",
        "record",
        "reuse",
        "turns",
        "waiting",
    )

    def __init__(
        self,
        record: Record,
        journal: Journal,
        turns: int = 0,
        *,
        is_new: bool = False,
        reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED,
    ) -> None:
        self.record = record
        self.journal = journal
        self.turns = turns
        self.is_new = is_new
        """Whether its row is still to be inserted; `reuse` says over what."""
        self.reuse = reuse
        self.busy = False
        self.changes = 0
        """How often code had come when the present turn began."""
        self.inbox: list[Entry] = []
        self.messages: set[int] = set()
        """The stored messages that it has taken up: a late look at the store shows them again."""
        self.later: list[Entry] = []
        """A start whose time has not come."""
        self.is_woken = False
        """Whether another instance has changed `wake_at` in its row."""
        self.waiting: asyncio.Future[TurnResult] | None = None
        """The answer of the worker that is to run the present turn."""

    @property
    def is_idle(self) -> bool:
        """True if only a timer, a child or something from outside can move it on."""
        return not self.busy and not self.inbox and not self.journal.tasks

    @property
    def is_terminated(self) -> bool:
        """True if a termination waits in the inbox."""
        return any(isinstance(entry.event, ExecutionTerminated) for entry in self.inbox)

    def take(self) -> Batch:
        """Empty the inbox; the journal decides what of it still counts."""
        admitted: list[Entry] = []
        redundant: list[Entry] = []
        admit = self.journal.admit
        if self.later and any(type(one.event) is ExecutionTerminated for one in self.inbox):
            # What is ended before its time has begun: its history then says what it was.
            self.inbox = [*self.later, *self.inbox]
        for entry in self.inbox:
            is_wanted = self.is_for(entry) and admit(entry.event)
            (admitted if is_wanted else redundant).append(entry)
        consumed = [entry.message_id for entry in self.inbox if entry.message_id]
        self.inbox = []
        return Batch(admitted, redundant, consumed)

    def is_for(self, entry: Entry) -> bool:
        """Whether the execution that runs now is the one that asked for it."""
        started = self.journal.started
        return entry.execution_id is None or (
            started is not None and entry.execution_id == started.execution_id
        )

    def put(self, entry: Entry) -> None:
        """Take up an event, unless it is a stored message that was taken up before."""
        if entry.message_id:
            if entry.message_id in self.messages:
                return
            self.messages.add(entry.message_id)
            if len(self.messages) > _MOST_MESSAGES:
                self.messages = set(sorted(self.messages)[_MOST_MESSAGES // 2 :])
        self.inbox.append(entry)

    def keep(self, entries: list[Entry], messages: list[Message]) -> None:
        """Exchange entries for messages, now that they are stored as such."""
        stored = {message.id for message in messages}
        self.messages |= stored
        # A look at the store may have found them before their writer was told.
        self.inbox = [entry for entry in self.inbox if entry.message_id not in stored]
        waiting = iter(messages)
        for position, entry in enumerate(entries):
            if entry.is_kept:
                entries[position] = Entry(
                    entry.event, message_id=next(waiting).id, execution_id=entry.execution_id
                )
                entry.acknowledge(True)
