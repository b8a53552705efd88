"""An instance as a host holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from flowyard.clock import Alarm
from flowyard.history import ExecutionStarted, HistoryEvent, to_datetime
from flowyard.journal import Journal
from flowyard.models import FailureDetails, WorkflowState, WorkflowStatus


class HostedInstance:
    """One instance in memory: its journal, and what is admitted to it but awaits a turn."""

    journal: Journal
    backlog: list[HistoryEvent]

    def __init__(self, instance_id: str, started: ExecutionStarted, now: int) -> None:
        self.id = instance_id
        self.parent = started.parent
        self.created_at = self.updated_at = now
        self.custom_status: str | None = None
        self.stalled: FailureDetails | None = None
        self.alarm: Alarm | None = None
        self.turning = asyncio.Lock()
        self.closed = asyncio.Event()
        self.begin((), [started])

    def begin(self, past: Iterable[HistoryEvent], new: Iterable[HistoryEvent]) -> None:
        """Go on from a history, with what is to come after it."""
        self.journal = Journal(self.id, past)
        self.backlog = [event for event in new if self.journal.admit(event)]

    @property
    def started(self) -> ExecutionStarted:
        """How the current execution began."""
        assert self.journal.started is not None  # noqa: S101  # given to begin()
        return self.journal.started

    @property
    def status(self) -> WorkflowStatus:
        """What the journal says, unless the code does not fit it."""
        return WorkflowStatus.STALLED if self.stalled is not None else self.journal.status

    def state(self, *, payloads: bool = True) -> WorkflowState:
        """Return what callers see."""
        completion = self.journal.completion
        failure = completion.failure if completion is not None else self.stalled
        return WorkflowState(
            instance_id=self.id,
            workflow=self.started.workflow,
            status=self.status,
            created_at=to_datetime(self.created_at),
            last_updated_at=to_datetime(self.updated_at),
            input=self.started.input if payloads else None,
            output=completion.output if payloads and completion is not None else None,
            custom_status=self.custom_status,
            failure=failure if payloads else None,
            parent_instance_id=self.parent.instance_id if self.parent is not None else None,
            detail=self.stalled.message if self.stalled is not None else None,
        )
