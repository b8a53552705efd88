"""What the engine needs of a database. SQLite is the first implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from flowyard.backend import (
    BackendUnavailable,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionTerminated,
    HistoryEvent,
    InstanceQuery,
    ReusePolicy,
    WorkflowStatus,
)


class LeaseLost(BackendUnavailable):
    """Another process owns the file now; what was to be written was not."""


class Record(msgspec.Struct, gc=False):
    """One instance, as its row has it. Times are microseconds since the epoch.

    `wake_at`: 0 if it must be in memory after a restart, the time of its next timer, or None.
    `birth` names the holder of the ID: continue-as-new keeps it, the next holder has another.
    `run` names the execution; every execution has a history of its own.
    """

    id: str
    birth: int
    run: int
    workflow: str
    status: WorkflowStatus
    created_at: int
    wake_at: int | None = 0
    parent_id: str | None = None
    parent_birth: int | None = None
    custom_status: str | None = None
    stalled: str | None = None


COPIED = 1
"""The `wake_at` of a copy that no turn has changed yet: due at once, in whichever process."""
FIRST = -1
"""The `due_at` of what begins a further execution: events that wait already come after it."""


class Message(msgspec.Struct, gc=False):
    """An event that waits for a turn of the instance that it is for, as long as that is active."""

    instance_id: str
    event: HistoryEvent
    birth: int = 0
    """Of the instance; 0 is for whoever holds the ID when the message is stored, which sets it."""
    due_at: int = 0
    execution_id: str | None = None
    """The execution that the event answers; any other drops it."""
    id: int = 0
    """Set when it is stored; 0 if it was not, because its instance is not active."""


class Child(msgspec.Struct, gc=False):
    """An instance that another one starts by its action `task_id`."""

    record: Record
    message: Message
    task_id: int


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
    children: Sequence[Child] = ()
    messages: Sequence[Message] = ()
    consumed: Sequence[int] = ()
    closes: bool = False
    ends_children: ExecutionTerminated | None = None
    """What all active instances get that the holder of the ID has started."""


class Outcome(msgspec.Struct, gc=False):
    """How a commit went. `taken` is the status of the active instance that has the ID already."""

    error: Exception | None = None
    taken: WorkflowStatus | None = None
    refused: dict[int, WorkflowStatus] = {}
    """The children that were not started, by the actions that ask for them."""
    messages: Sequence[Message] = ()
    """What was stored for `ends_children`, and for who has asked for a child that was refused."""


class Loaded(msgspec.Struct):
    """An instance with its history and what waits for it."""

    record: Record
    history: list[HistoryEvent]
    turns: int
    messages: list[Message]


class Unfinished(msgspec.Struct):
    """What must be in memory after a restart, and the newest message that this takes up."""

    instance_ids: list[str]
    seen: int


class Arrived(msgspec.Struct):
    """Messages that are new, the oldest first, and instances that were copied."""

    messages: list[Message]
    copies: list[str]


class Snapshot(msgspec.Struct):
    """An instance as callers see it."""

    record: Record
    updated_at: int
    started: ExecutionStarted | None = None
    completion: ExecutionCompleted | None = None


class Store(Protocol):
    """One database of instances. Writes are durable when their answer comes."""

    def listen(self, woken: Callable[[], None], lost: Callable[[], None]) -> None:
        """Have `woken` called when another process may have written, and `lost` when one has
        become the owner; both on the event loop.
        """

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

    async def purge(self, instance_id: str, *, recursive: bool) -> int:
        """Remove a closed instance with its children."""
        ...

    async def unfinished(self, now: int) -> Unfinished:
        """Return the instances that must be in memory after a restart."""
        ...

    async def arrived(self, seen: int) -> Arrived:
        """Return what was stored after a message, whoever stored it."""
        ...

    async def stalled(self) -> list[str]:
        """Return the instances whose code does not fit them."""
        ...

    async def due(self, now: int) -> tuple[list[str], int | None]:
        """Return the instances with a timer or start that is due, and when the next will be."""
        ...

    async def take_lease(self) -> bool:
        """Become the owner if there is none (any more)."""
        ...

    async def list(self, query: InstanceQuery) -> tuple[Sequence[Snapshot], str | None]:
        """Return a page and the token of the next."""
        ...
