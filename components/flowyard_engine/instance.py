"""A live instance: what the owner keeps in memory of it between turns."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from flowyard.history import HistoryEvent
from flowyard.journal import Journal
from flowyard_engine.store import Record


class Entry(NamedTuple):
    """An event for an instance; `ack` is resolved with whether it was admitted, once durable."""

    event: HistoryEvent
    ack: asyncio.Future[bool] | None = None
    message_id: int = 0


class Instance:
    """One active instance. While `busy`, a turn is computed or written; events wait in the inbox."""

    __slots__ = ("busy", "inbox", "is_new", "journal", "messages", "record", "turns")

    def __init__(self, record: Record, journal: Journal, turns: int, *, is_new: bool) -> None:
        self.record = record
        self.journal = journal
        self.turns = turns
        self.is_new = is_new
        self.busy = False
        self.inbox: list[Entry] = []
        self.messages: set[int] = set()
        """The stored messages that are in the inbox or in the turn that is being written."""

    @property
    def is_idle(self) -> bool:
        """True if only a timer, a child or something from outside can move it on."""
        return not self.busy and not self.inbox and not self.journal.tasks
