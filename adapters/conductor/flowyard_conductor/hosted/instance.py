"""A hosted instance in memory: what its records amount to, and what has come since."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from flowyard.backend import (
    Alarm,
    ChildCreated,
    EventSent,
    ExecutionStarted,
    FailureDetails,
    HistoryEvent,
    Journal,
    Parent,
    TaskScheduled,
    TimerCreated,
    Turn,
    TurnResult,
    TurnStarted,
    decode_events,
    suspended_after,
)
from flowyard_conductor.api.connection import Json
from flowyard_conductor.hosted.definitions import FIRST
from flowyard_conductor.hosted.inbox import Message
from flowyard_conductor.hosted.records import Outcome, Record, unpacked

STEP = "step__"
"""What the reference names of steps begin with; the number of the step follows."""

_ACTIONS = (TaskScheduled, ChildCreated, EventSent, TimerCreated)
# How many messages of the past are known.
_MOST_GONE = 200


class HostedInstance:
    """One instance. It is right as long as every record after the last one is of this process."""

    def __init__(self, workflow_id: str, instance_id: str, given: Json) -> None:
        self.workflow_id = workflow_id
        self.instance_id = instance_id
        self.started: ExecutionStarted = started_of(given)
        """How the first execution begins."""
        self.parent_workflow_id = parent_workflow_of(given)
        self.journal = Journal(instance_id)
        self.backlog: list[HistoryEvent] = []
        """Admitted, but no turn was taken over it yet."""
        self.kept: Sequence[HistoryEvent] = ()
        self.custom_status: str | None = None
        self.messages: list[str] = []
        """The latest messages that a turn has taken, by key."""
        self.children: list[str] = []
        """The instance IDs of all children, also of earlier executions."""
        self.side_workflows: dict[str, list[int]] = {}
        """Workflows beside this one, and the IDs of the actions that they are for."""
        self.pending: list[HistoryEvent] = []
        """What the last turn has decided and nobody has done yet."""
        self.is_redone = False
        """Whether somebody may have done some of it already."""
        self.pending_execution = ""
        self.fused: int | None = None
        self.stalled: FailureDetails | None = None
        self.outcome: Outcome | None = None
        self.iteration = 0
        self.base = 0
        self.record_id = ""
        self.is_parked = False
        self.results: dict[int, tuple[int, HistoryEvent]] = {}
        """Results of activities that have run in this process, with their times."""
        self.seen_messages: list[Message] = []
        """The messages that were seen last."""
        self.has_messages = False
        self._arrival = asyncio.Event()
        """Set when something has come that a turn may have to see."""
        self.closed = asyncio.Event()
        self.is_settled = asyncio.Event()
        """Cleared while the server has a record of it and has not said that it is committed."""
        self.is_settled.set()
        self.lock = asyncio.Lock()
        self._alarm: Alarm | None = None

    @staticmethod
    def of(workflow: Json) -> HostedInstance:
        """Rebuild an instance from its workflow with all tasks."""
        given = workflow["input"]
        instance = HostedInstance(workflow["workflowId"], workflow["correlationId"], given)
        history: list[HistoryEvent] = []
        backlog: Sequence[HistoryEvent] = ()
        for iteration, record in _records(workflow):
            if record.events is not None:
                history = [*([] if record.is_base else history), *record.events]
                backlog = ()
            instance._note(record, iteration)
            if record.backlog is not None:
                instance.pending_execution = _execution(history)
                history, backlog = [], record.backlog
        instance._begin(history, backlog)
        instance.is_redone = True
        return instance

    def start(self, workflow_id: str, record: Record) -> None:
        """Take the record of the first turn into account, which was committed with the start."""
        self.workflow_id = workflow_id
        self.commit(record, 0)

    def commit(self, record: Record, iteration: int) -> None:
        """Take a record into account that is committed; the journal has its events already."""
        execution_id = self.execution_id
        self._note(record, iteration)
        if record.backlog is not None:
            self.pending_execution = execution_id
            self.results.clear()
            self._begin((), record.backlog)

    def _begin(self, history: Iterable[HistoryEvent], backlog: Iterable[HistoryEvent]) -> None:
        """Go on from a history, with what is to come after it."""
        self.journal = Journal(self.instance_id, history)
        self.backlog = [event for event in backlog if self.journal.admit(event)]

    def _note(self, record: Record, iteration: int) -> None:
        # A record that is told again has what somebody may have done already.
        self.is_redone = record.record_id == self.record_id
        self.iteration, self.record_id = iteration, record.record_id
        self.is_parked = record.next == "wait"
        self.fused = record.fused
        self.pending = []
        if record.events is not None:
            self.pending = [] if record.is_done else _decided(record.events, record.fused)
            self.pending_execution = ""
            if record.is_base:
                self.base = iteration
        self.kept, self.stalled = record.kept, record.stalled
        self.messages = [*([] if record.is_base else self.messages), *record.messages]
        self.custom_status = record.custom_status
        if record.children is not None:
            self.children = list(record.children)
        if record.side_workflows is not None:
            self.side_workflows = dict(record.side_workflows)
        self.outcome = record.outcome

    def take(self, turn: Turn, result: TurnResult) -> Sequence[HistoryEvent]:
        """Take a turn into account that is yet to be committed; return what it adds to history."""
        added = self.journal.commit(turn, result)
        self.backlog = []
        if result.custom_status is not None:
            self.custom_status = result.custom_status
        self.side_workflows = {
            side: ids
            for side, ids in self.side_workflows.items()
            if any(self.journal.is_open(action_id) for action_id in ids)
        }
        return added

    @contextmanager
    def performing(self) -> Iterator[Sequence[HistoryEvent]]:
        """Lend what is pending to whoever does it; if that fails, it is still pending."""
        pending, self.pending = self.pending, []
        try:
            yield pending
        except BaseException:
            self.pending, self.is_redone = pending, True
            raise

    @contextmanager
    def settling(self) -> Iterator[None]:
        """Have the next step wait until this block is left: a record is being committed."""
        self.is_settled.clear()
        try:
            yield
        finally:
            self.is_settled.set()

    def add_side_workflows(self, found: Mapping[str, Sequence[int]]) -> None:
        """Note workflows beside this one, and the actions that they are for."""
        self.side_workflows |= {side: list(ids) for side, ids in found.items()}

    def add_result(self, task_id: int, at: int, event: HistoryEvent) -> None:
        """Note the result of an activity that has run in this process, with its time."""
        self.results[task_id] = at, event

    def unread(self, messages: Sequence[Message]) -> list[Message]:
        """Return those of all its messages that no turn has taken; forget those that are gone."""
        left = {message.key for message in messages}
        # Of what is gone, only the latest may be posted once more, by a step that is done again.
        self.messages = [
            *(key for key in self.messages[:-_MOST_GONE] if key in left),
            *self.messages[-_MOST_GONE:],
        ]
        taken = set(self.messages)
        unread: dict[str, Message] = {}
        for message in messages:
            if message.key not in taken:
                unread.setdefault(message.key, message)
        self.seen_messages = list(unread.values())
        return self.seen_messages

    def set_alarm(self, alarm: Alarm | None) -> None:
        """Have this alarm be the only one that is set for the instance."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = alarm

    def close(self) -> None:
        """Let nothing more happen to it here: it may be wrong, or over."""
        self.set_alarm(None)
        self.closed.set()

    def is_at(self, task: Json) -> bool:
        """Whether a step follows upon the last record that this process knows."""
        steps = task["iteration"] - self.iteration
        known = (task.get("inputData") or {}).get("recordId")
        if steps == 1:
            # A dropped update leaves another record there, or none.
            return not self.is_parked and (known == self.record_id or self.iteration == 0)
        return steps == 2 and self.is_parked

    def next_due(self) -> int | None:
        """Return when time moves the instance on, in microseconds since the epoch."""
        if self.journal.started is None and not self.backlog:
            return self.started.start_at
        return self.journal.next_timer()

    def has_results_of(self, needed: Sequence[int]) -> bool:
        """Whether all that the code needs to go on has come, as far as this process knows."""
        return all(
            action_id in self.results or action_id not in self.journal.tasks for action_id in needed
        )

    def arrived(self, *, messages: bool = False) -> None:
        """Note that there is something to see."""
        self.has_messages = self.has_messages or messages
        self._arrival.set()

    @property
    def has_arrival(self) -> bool:
        """Whether something has come since a turn looked."""
        return self._arrival.is_set()

    async def arrival(self) -> None:
        """Wait until something comes that a turn may have to see."""
        await self._arrival.wait()

    def look(self, *, messages: bool = False) -> bool:
        """Note that what has come is looked at; return whether anything has."""
        has_arrival = self._arrival.is_set()
        self._arrival.clear()
        self.has_messages = self.has_messages and not messages
        return has_arrival

    @property
    def runs_activity(self) -> bool:
        """Whether the next step runs an activity, with the turn that follows."""
        return self.fused is not None and self.fused in self.journal.tasks

    @property
    def execution_id(self) -> str:
        """The ID of the current execution; empty as long as none has begun."""
        return self.journal.execution_id

    def is_suspended_after(self, messages: Iterable[Message]) -> bool:
        """Whether it is paused once it has taken these messages."""
        return suspended_after(
            (message.event for message in messages), suspended=self.journal.suspended
        )

    def to_outcome(self) -> Outcome:
        """Return how it has ended."""
        completion = self.journal.completion
        assert completion is not None  # noqa: S101
        given = self.journal.started.input if self.journal.started is not None else None
        return Outcome(
            completion.status,
            completion.output,
            completion.failure,
            self.custom_status,
            given,
            given != self.started.input,
        )


def parent_of(workflow: Json) -> tuple[str | None, Parent | None]:
    """Return the workflow that has started a hosted instance as its child, and by what."""
    given = workflow["input"]
    return parent_workflow_of(given), started_of(given).parent


def parent_workflow_of(given: Json) -> str | None:
    """Return the ID of the workflow that has started an instance of this input as its child."""
    parent_workflow_id: str | None = given.get("parentWorkflowId")
    return parent_workflow_id


def started_of(given: Json) -> ExecutionStarted:
    """Return how the first execution of an instance of this input begins."""
    (started,) = decode_events((unpacked(given["started"]) or "").encode())
    assert isinstance(started, ExecutionStarted)  # noqa: S101
    return started


def _records(workflow: Json) -> list[tuple[int, Record]]:
    first = workflow["input"].get(FIRST)
    records = [(0, Record.of(first))] if first is not None else []
    records += [
        (task["iteration"], Record.of(task["outputData"]))
        for task in workflow["tasks"]
        if task["referenceTaskName"].startswith(STEP)
        and "recordId" in (task.get("outputData") or {})
    ]
    records.sort(key=lambda pair: pair[0])
    bases = [place for place, (_, record) in enumerate(records) if record.is_base]
    return records[bases[-1] :] if bases else records


def _decided(events: Sequence[HistoryEvent], fused: int | None) -> list[HistoryEvent]:
    """Return what the last turn of some events wants done."""
    turns = [place for place, event in enumerate(events) if isinstance(event, TurnStarted)]
    begins = turns[-1] if turns else 0
    return [event for event in events[begins:] if isinstance(event, _ACTIONS) and event.id != fused]


def _execution(history: Sequence[HistoryEvent]) -> str:
    started = [event for event in history if isinstance(event, ExecutionStarted)]
    return started[0].execution_id if started else ""
