"""What the engine needs of a database. SQLite is the first implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from flowyard.errors import BackendUnavailable
from flowyard.history import ExecutionCompleted, ExecutionStarted, HistoryEvent
from flowyard.models import InstanceQuery, ReusePolicy, WorkflowStatus


class LeaseLost(BackendUnavailable):
    """Another process owns the file now; what was to be written was not."""


class Record(msgspec.Struct, gc=False):
    """One instance, as its row has it. Times are microseconds since the epoch.

    `wake_at`: 0 if it must be in memory after a restart, the time of its next timer, or None.
    `run` names the execution; every execution has a history of its own.
    """

    id: str
    run: int
    workflow: str
    status: WorkflowStatus
    created_at: int
    wake_at: int | None = 0
    parent_id: str | None = None
    custom_status: str | None = None
    stalled: str | None = None


FIRST = -1
"""The `due_at` of what begins a further execution: events that wait already come after it."""


class Message(msgspec.Struct, gc=False):
    """An event that waits for a turn. `id` is set once it is stored."""

    instance_id: str
    event: HistoryEvent
    due_at: int = 0
    id: int = 0


class Commit(msgspec.Struct, gc=False):
    """All that one turn changes, written together or not at all."""

    record: Record
    turn: int
    at: int
    events: Sequence[HistoryEvent]
    """Of the turn; nothing is added to the history without them."""
    is_new: bool = False
    reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED
    updates: bool = False
    """Whether the record differs from what is stored."""
    retired_run: int | None = None
    children: Sequence[tuple[Record, Message]] = ()
    messages: Sequence[Message] = ()
    consumed: Sequence[int] = ()
    closes: bool = False


class Outcome(msgspec.Struct, gc=False):
    """How a commit went. `taken` is the status of the active instance that has the ID already."""

    error: Exception | None = None
    taken: WorkflowStatus | None = None
    refused_children: dict[str, WorkflowStatus] = {}


class Loaded(msgspec.Struct):
    """An instance with its history and what waits for it."""

    record: Record
    history: list[HistoryEvent]
    turns: int
    messages: list[Message]


class Snapshot(msgspec.Struct):
    """An instance as callers see it."""

    record: Record
    updated_at: int
    started: ExecutionStarted | None = None
    completion: ExecutionCompleted | None = None


class Store(Protocol):
    """One database of instances. Writes are durable when their answer comes."""

    def submit(self, commit: Commit, done: Callable[[Outcome], None]) -> None:
        """Queue the commit of a turn; `done` is called on the event loop."""

    async def create(self, record: Record, message: Message, reuse: ReusePolicy) -> None:
        """Add an instance that an owner is to start."""

    async def copy(self, commit: Commit) -> None:
        """Add an instance with a history, which an owner is to go on with."""

    async def send(self, message: Message) -> WorkflowStatus:
        """Leave an event for an instance; returns its status, and does nothing if it is closed."""
        ...

    async def is_waiting(self, message_id: int) -> bool:
        """Whether no turn has taken the message up yet."""
        ...

    async def read(self, instance_id: str, *, payloads: bool) -> Snapshot | None:
        """Return an instance as callers see it."""
        ...

    async def load(self, instance_id: str) -> Loaded | None:
        """Return all that is needed to go on with an instance."""
        ...

    async def messages(self, instance_id: str) -> list[Message]:
        """Return what waits for an instance."""
        ...

    async def purge(self, instance_id: str, *, recursive: bool) -> int:
        """Remove a closed instance with its children."""
        ...

    async def unfinished(self) -> list[str]:
        """Return the instances that must be in memory after a restart."""
        ...

    async def stalled(self) -> list[str]:
        """Return the instances whose code does not fit them."""
        ...

    async def due(self, now: int) -> tuple[list[str], int | None]:
        """Return the instances with a timer or a message that is due, and when the next will be."""
        ...

    async def take_lease(self) -> bool:
        """Become the owner if there is none (any more)."""
        ...

    async def list(self, query: InstanceQuery) -> tuple[Sequence[Snapshot], str | None]:
        """Return a page and the token of the next."""
        ...
