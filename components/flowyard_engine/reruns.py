"""A copy of a closed instance that goes on from one of its events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from flowyard.errors import EventNotFound, InvalidRequest
from flowyard.history import (
    NEVER,
    ChildCreated,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    HistoryEvent,
    Parent,
    TaskScheduled,
    TimerCreated,
    TurnStarted,
)
from flowyard.journal import Journal
from flowyard.models import RerunRequest, WorkflowStatus
from flowyard_engine.commits import new_execution_id, new_run
from flowyard_engine.store import Commit, Message, Record

_Call: TypeAlias = TaskScheduled | TimerCreated | ChildCreated


def of_rerun(
    request: RerunRequest, source: Record, history: Sequence[HistoryEvent], now: int
) -> Commit:
    """Return all that begins the copy. Whatever was open then, an owner does as after a crash."""
    if request.instance_id == request.source_id:
        raise InvalidRequest(f"a rerun of '{request.source_id}' needs an ID of its own")
    first, end = _turn_of(request, history)
    turn = history[first]
    assert isinstance(turn, TurnStarted)  # noqa: S101
    if any(isinstance(event, ExecutionCompleted) for event in history[first:end]):
        raise InvalidRequest(
            f"instance '{request.source_id}' ended in the turn that asked for event "
            f"{request.event_id}: nothing waited for it. Choose an earlier event."
        )
    execution_id = new_execution_id()
    still_open = Journal(request.source_id, history[:end])
    changed: dict[int, _Call] = {
        **{one.id: _later(one, now - turn.at) for one in still_open.timers.values()},
        **{one.id: _renamed(one, request) for one in still_open.children.values()},
        **still_open.tasks,
    }
    changed[request.event_id] = _overwritten(changed[request.event_id], request)
    events: list[HistoryEvent] = []
    for event in history[:end]:
        if isinstance(event, ExecutionStarted):
            seed = event.seed or event.execution_id
            event = msgspec.structs.replace(
                event, execution_id=execution_id, parent=None, start_at=None, seed=seed
            )
        elif isinstance(event, _Call):
            event = changed.get(event.id, event)
        events.append(event)
    journal = Journal(request.instance_id, events)
    # Due at once, so that an owner in another process finds it too.
    record = Record(request.instance_id, new_run(), source.workflow, journal.status, now, 1)
    messages = [
        Message(event.instance_id, EventRaised(event.name, event.input))
        for event in history[first:end]
        if isinstance(event, EventSent)
    ]
    if journal.suspended:
        # Whoever paused the source has not paused the copy.
        messages.append(Message(record.id, ExecutionResumed("rerun")))
    children = [_begun(child, record, execution_id, now) for child in journal.children.values()]
    return Commit(record, 0, now, events, is_new=True, children=children, messages=messages)


def _turn_of(request: RerunRequest, history: Sequence[HistoryEvent]) -> tuple[int, int]:
    """Return where the turn that asked for the event begins, and where the next one does."""
    first = 0
    found = False
    for position, event in enumerate(history):
        if isinstance(event, TurnStarted):
            if found:
                return first, position
            first = position
        elif isinstance(event, _Call) and event.id == request.event_id:
            found = True
    if not found:
        raise EventNotFound(request.source_id, request.event_id)
    return first, len(history)


def _later(timer: TimerCreated, by: int) -> TimerCreated:
    """Give a timer as long to go as it had then."""
    if timer.fire_at >= NEVER:
        return timer
    return msgspec.structs.replace(timer, fire_at=min(timer.fire_at + by, NEVER))


def _renamed(child: ChildCreated, request: RerunRequest) -> ChildCreated:
    """Leave the source its children; an ID that the code has chosen stays what it is."""
    child_id, of_source = child.instance_id, f"{request.source_id}:"
    if child.id == request.event_id and request.child_instance_id is not None:
        child_id = request.child_instance_id
    elif child_id.startswith(of_source):
        child_id = f"{request.instance_id}:{child_id.removeprefix(of_source)}"
    return msgspec.structs.replace(child, instance_id=child_id)


def _overwritten(event: _Call, request: RerunRequest) -> _Call:
    if request.child_instance_id is not None and not isinstance(event, ChildCreated):
        raise InvalidRequest(f"event {event.id} calls no child workflow that could have an ID")
    if not request.overwrite_input:
        return event
    if isinstance(event, TimerCreated):
        raise InvalidRequest(f"event {event.id} is a timer, which has no input to overwrite")
    return msgspec.structs.replace(event, input=request.input)


def _begun(
    child: ChildCreated, parent: Record, execution_id: str, now: int
) -> tuple[Record, Message]:
    link = Parent(parent.id, execution_id, parent.workflow, child.id)
    started = ExecutionStarted(child.name, child.input, new_execution_id(), link)
    record = Record(child.instance_id, new_run(), child.name, WorkflowStatus.PENDING, now)
    record.parent_id = parent.id
    return record, Message(record.id, started)
