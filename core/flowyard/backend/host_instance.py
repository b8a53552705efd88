"""An instance as a host holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flowyard.backend.backlog import BacklogEvent, Received, Unsent
from flowyard.backend.history import ExecutionCompleted, ExecutionStarted, HistoryEvent
from flowyard.backend.journal import RESULTS, Journal, suspended_after
from flowyard.backend.timestamps import to_datetime
from flowyard.clock import Alarm
from flowyard.failure import FailureDetails
from flowyard.models import WorkflowState, WorkflowStatus


class _Saved(NamedTuple):
    """What callers see of an instance: what the last turn that was saved has left."""

    started: ExecutionStarted
    status: WorkflowStatus
    completion: ExecutionCompleted | None
    history: list[HistoryEvent]
    length: int
    custom_status: str | None
    updated_at: int


class HostedInstance:
    """One instance in memory.

    What callers are shown (`status`, `history`, `state()`) is saved. A store saves `started`,
    `created_at`, `updated_at`, `custom_status`, `journal.history` and `backlog`.

    Args:
        instance_id: Its ID, kept as `id`.
        started: The event with which its first execution begins.
        now: The time of its creation, in microseconds since the Unix epoch.

    Attributes:
        journal: The history; ahead of what is saved while a turn is being saved.
        waiting: The events that have come and that no turn has taken.
        unsent: The events and starts that turns have sent, until their receivers have stored them.
        unconfirmed: The marks of what may be saved as unsent.
        received: Marks of what others have sent, until they have saved that it has come.
    """

    journal: Journal
    waiting: list[HistoryEvent]
    unsent: list[Unsent]
    unconfirmed: set[Received]
    received: dict[Received, asyncio.Event]

    def __init__(self, instance_id: str, started: ExecutionStarted, now: int) -> None:
        self.id = instance_id
        self.parent = started.parent
        self.created_at = self.updated_at = now
        self.custom_status: str | None = None
        self.stalled: FailureDetails | None = None
        self.alarm: Alarm | None = None
        self.turning = asyncio.Lock()
        self.saving = asyncio.Lock()
        self.closed = asyncio.Event()
        self.is_taken_up = False
        self.following: asyncio.Task[None] | None = None
        self.waits_for: HostedInstance | None = None
        self.begin((), [started])

    def begin(self, past: Iterable[HistoryEvent], backlog: Iterable[BacklogEvent]) -> None:
        """Go on from what was saved, before the host takes the instance up (`Host.recover`).

        Args:
            past: The events of the history, as they were given to `InstanceStore.save`.
            backlog: The backlog that was saved last.
        """
        kept = list(backlog)
        self.unsent = [event for event in kept if isinstance(event, Unsent)]
        self.unconfirmed = {self.mark_of(unsent) for unsent in self.unsent}
        self.received = {event: asyncio.Event() for event in kept if isinstance(event, Received)}
        self.go_on(past, [event for event in kept if not isinstance(event, Unsent | Received)])
        self.note_saved()

    def go_on(self, past: Iterable[HistoryEvent], waiting: Iterable[HistoryEvent]) -> None:
        """Go on from another history, which is not saved yet. For the host.

        Args:
            past: The events of the history.
            waiting: The events that have come and that no turn has taken.
        """
        self.journal = Journal(self.id, past)
        self.waiting = list(waiting)

    def continue_as_new(self, execution_id: str) -> None:
        """Go on as the execution that the last turn has asked for. For the host.

        Args:
            execution_id: The ID of the new execution.
        """
        # What answers the execution that has ended is not for the next one.
        kept = [event for event in self.waiting if not isinstance(event, RESULTS)]
        self.go_on((), [*self.journal.successor(execution_id), *kept])

    def mark_of(self, unsent: Unsent) -> Received:
        """Return the mark by which the receiver recognizes what this instance has sent.

        Args:
            unsent: The event or start that was sent.
        """
        return Received(self.id, unsent.execution_id, unsent.id)

    def confirm(self, mark: Received) -> None:
        """Forget the mark of something: it does not come again. For the host.

        Args:
            mark: The mark, also one that is forgotten already.
        """
        if (confirmed := self.received.pop(mark, None)) is not None:
            confirmed.set()

    def note_saved(self) -> None:
        """Show callers what there is now, which has been saved. For the host."""
        journal = self.journal
        # A pause that no turn has taken up was acknowledged all the same.
        status = journal.status_if(
            suspended=suspended_after(self.waiting, suspended=journal.suspended)
        )
        self._saved = _Saved(
            self.started,
            status,
            journal.completion,
            journal.history,
            len(journal.history),
            self.custom_status,
            self.updated_at,
        )

    @property
    def backlog(self) -> list[BacklogEvent]:
        """What is to be saved besides the history, whatever it is, and given back to `begin`."""
        return [*self.unsent, *self.received, *self.waiting]

    @property
    def started(self) -> ExecutionStarted:
        """How the current execution began."""
        started = self.journal.started
        if started is None:
            started = next(event for event in self.waiting if isinstance(event, ExecutionStarted))
        return started

    @property
    def history(self) -> Sequence[HistoryEvent]:
        """The events of the current execution that are saved."""
        return self._saved.history[: self._saved.length]

    @property
    def status(self) -> WorkflowStatus:
        """What the history amounts to, unless the code does not fit it."""
        return WorkflowStatus.STALLED if self.stalled is not None else self._saved.status

    def state(self, *, payloads: bool = True) -> WorkflowState:
        """Return what callers see.

        Args:
            payloads: Whether it has input, output and failure; True by default.
        """
        saved = self._saved
        completion = saved.completion
        failure = completion.failure if completion is not None else self.stalled
        return WorkflowState(
            instance_id=self.id,
            workflow=saved.started.workflow,
            status=self.status,
            created_at=to_datetime(self.created_at),
            last_updated_at=to_datetime(saved.updated_at),
            input=saved.started.input if payloads else None,
            output=completion.output if payloads and completion is not None else None,
            custom_status=saved.custom_status,
            failure=failure if payloads else None,
            parent_instance_id=self.parent.instance_id if self.parent is not None else None,
            detail=self.stalled.message if self.stalled is not None else None,
        )
