"""A live instance: what the owner keeps in memory of it between turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from flowyard.backend import (
    ExecutionResumed,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    Journal,
    ReusePolicy,
    TimerFired,
    TurnResult,
    WorkflowStatus,
    suspended_after,
)
from flowyard_engine.store import Message, Outcome, Record

_NONE: frozenset[int] = frozenset()
_NOTED = frozenset({TimerFired, ExecutionTerminated, ExecutionSuspended, ExecutionResumed})


class Entry(msgspec.Struct, gc=False):
    """An event for an instance; `ack` is resolved with whether it was admitted, once durable."""

    event: HistoryEvent
    ack: asyncio.Future[bool] | None = None
    message_id: int = 0
    """Of the stored message that holds the event; 0 while it is in memory only."""
    execution_id: str | None = None
    """The execution that asked for it; None if it is for whichever runs."""
    due_at: int = 0
    changes: bool = True
    """Whether it will be admitted, as far as what came before it tells."""

    @staticmethod
    def of(message: Message) -> Entry:
        """Return the entry of a stored message."""
        return Entry(message.event, None, message.id, message.execution_id, message.due_at)

    @property
    def is_storable(self) -> bool:
        """False for what comes again when the instance is read: a timer."""
        return type(self.event) is not TimerFired

    @property
    def is_result(self) -> bool:
        """Whether it is the result of an activity, and nowhere but here."""
        return self.execution_id is not None and not self.message_id

    def acknowledge(self, admitted: bool) -> None:
        """Tell who waits that the event is settled."""
        if self.ack is not None and not self.ack.done():
            self.ack.set_result(admitted)

    def refuse(self, error: Exception) -> None:
        """Tell who waits that the event was not written."""
        if self.ack is not None and not self.ack.done():
            self.ack.set_exception(error)
            # Whoever it was for may have been told already, and not look at it any more.
            self.ack.exception()


class Batch(msgspec.Struct, gc=False):
    """What one turn has taken from the inbox."""

    entries: Sequence[Entry]
    """All of it, in the order in which it came."""
    admitted: Sequence[Entry] = ()
    redundant: Sequence[Entry] = ()

    @property
    def consumed(self) -> list[int]:
        """The stored messages among it, which the turn's commit deletes."""
        return [entry.message_id for entry in self.entries if entry.message_id]

    def acknowledge(self) -> None:
        """Tell everybody how it went, once it is durable."""
        for entry in self.admitted:
            entry.acknowledge(True)
        for entry in self.redundant:
            entry.acknowledge(False)

    def refuse(self, error: Exception) -> None:
        """Tell everybody that it was not written."""
        for entry in self.entries:
            entry.refuse(error)


class Instance:
    """One active instance. While a turn of it is computed or written, events wait in its inbox."""

    __slots__ = (
        "busy",
        "changes",
        "fired",
        "inbox",
        "is_new",
        "is_stalled",
        "is_terminated",
        "journal",
        "known",
        "later",
        "lost",
        "record",
        "reuse",
        "saves",
        "saving",
        "turns",
        "unsaved",
        "waiting",
        "will_be_suspended",
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
        self.known: set[int] | frozenset[int] = _NONE
        """The stored messages that it holds: a look at the store shows them again."""
        self.fired: set[int] | frozenset[int] = _NONE
        """The timers whose end is in the inbox."""
        self.later: list[Entry] = []
        """A start whose time has not come."""
        self.unsaved: list[Entry] = []
        """What somebody waits for to be durable and is in the inbox only."""
        self.saves = False
        """Whether what comes is stored at once, because a turn is long in coming."""
        self.saving: asyncio.Future[None] | None = None
        """Ends once what is being stored of the inbox has been."""
        self.lost: Outcome | None = None
        """Why the inbox could not be stored."""
        self.is_stalled = False
        """Whether no code fits: it runs no turn until other code has come."""
        self.is_terminated = False
        """Whether a termination waits in the inbox."""
        self.will_be_suspended: bool | None = None
        """What the inbox makes of it; None if that says nothing of it."""
        self.waiting: asyncio.Future[TurnResult] | None = None
        """The answer of the worker that is to run the present turn."""

    @property
    def status(self) -> WorkflowStatus:
        """The status once all that waits in the inbox is stored: a pause holds from then on."""
        if self.will_be_suspended is None:
            return self.journal.status
        return self.journal.status_if(suspended=self.will_be_suspended)

    @property
    def stored_status(self) -> WorkflowStatus:
        """The status with what of the inbox is stored, or is on its way to be."""
        journal = self.journal
        if self.will_be_suspended is None:
            return journal.status
        unsaved = {id(entry) for entry in self.unsaved}
        stored = [entry.event for entry in self.inbox if id(entry) not in unsaved]
        return journal.status_if(suspended=suspended_after(stored, suspended=journal.suspended))

    @property
    def is_idle(self) -> bool:
        """True if only a timer, a child or something from outside can move it on."""
        return not self.busy and not self.inbox and not self.journal.tasks

    @property
    def has_stored_pause(self) -> bool:
        """Whether a pause that waits in the inbox is stored, and nothing there undoes it."""
        if not self.will_be_suspended:
            return False
        pauses = [entry for entry in self.inbox if type(entry.event) is ExecutionSuspended]
        return bool(pauses[-1].message_id)

    def put(self, entry: Entry) -> None:
        """Take up an event, unless it is a stored message that it holds already."""
        if entry.message_id:
            if entry.message_id in self.known:
                return
            self.know(entry.message_id)
        elif (self.saves or entry.ack is not None) and entry.is_storable:
            self.unsaved.append(entry)
        if type(entry.event) in _NOTED and not self._note(entry):
            return
        self.inbox.append(entry)

    def know(self, message_id: int) -> None:
        """Note that it holds a stored message."""
        # Most instances hold none, and a set each would have to be looked at by the collector.
        if isinstance(self.known, frozenset):
            self.known = {message_id}
        else:
            self.known.add(message_id)

    def forget(self, message_ids: Sequence[int]) -> None:
        """Note that stored messages are gone."""
        if not isinstance(self.known, frozenset):
            self.known.difference_update(message_ids)

    def _note(self, entry: Entry) -> bool:
        """Note what an event makes of the instance; False if it is in the inbox already."""
        event = entry.event
        if isinstance(event, TimerFired):
            if event.timer_id in self.fired:
                return False
            if isinstance(self.fired, frozenset):
                self.fired = set()
            self.fired.add(event.timer_id)
        elif isinstance(event, ExecutionTerminated):
            self.is_terminated = True
        else:
            before = self.will_be_suspended
            if before is None:
                before = self.journal.suspended
            self.will_be_suspended = isinstance(event, ExecutionSuspended)
            entry.changes = before is not self.will_be_suspended
        return True

    def put_due(self, now: int) -> None:
        """Take up a start whose time has come."""
        later, self.later = self.later, []
        for entry in later:
            if entry.due_at <= now:
                self.inbox.append(entry)
            else:
                self.later.append(entry)

    def take(self) -> Batch:
        """Empty the inbox; the journal decides what of it still counts."""
        if self.later and self.is_terminated:
            # What is ended before its time has begun: its history then says what it was.
            self.inbox = [*self.later, *self.inbox]
            self.later = []
        entries, self.inbox = self.inbox, []
        self.is_terminated, self.will_be_suspended = False, None
        self.fired = _NONE
        if self.unsaved:
            self.unsaved = []
        admitted: list[Entry] = []
        redundant: list[Entry] = []
        admit = self.journal.admit
        for entry in entries:
            is_wanted = entry.changes = self.is_for(entry) and admit(entry.event)
            (admitted if is_wanted else redundant).append(entry)
        return Batch(entries, admitted, redundant)

    def save_from_now_on(self, *entries: Entry) -> None:
        """Have stored what is in the inbox, what the present turn has taken, and what comes."""
        self.saves = True
        self.unsaved = [
            entry for entry in (*entries, *self.inbox) if not entry.message_id and entry.is_storable
        ]

    def take_back(self, batch: Batch) -> None:
        """Undo a turn that was not committed: what it had taken waits again, in its order."""
        came, self.inbox = self.inbox, []
        self.journal = Journal(self.record.id, self.journal.history)
        self.is_terminated, self.will_be_suspended = False, None
        self.fired = _NONE
        self.unsaved = []
        for entry in (*batch.entries, *came):
            if entry.message_id:
                self.forget([entry.message_id])
            self.put(entry)

    def is_for(self, entry: Entry) -> bool:
        """Whether the execution that runs now is the one that asked for it."""
        started = self.journal.started
        return entry.execution_id is None or (
            started is not None and entry.execution_id == started.execution_id
        )
