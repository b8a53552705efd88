"""A copy of a closed instance that goes on from one of its events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from flowyard.backend import (
    NEVER,
    ChildCreated,
    EventNotFound,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    HistoryEvent,
    InvalidRequest,
    Journal,
    Machine,
    RerunRequest,
    TaskScheduled,
    TimerCreated,
    TurnStarted,
    child_instance_id,
)
from flowyard_engine.commits import new_child, new_record
from flowyard_engine.store import COPIED, Commit, Message, Record

_Call: TypeAlias = TaskScheduled | TimerCreated | ChildCreated


def of_rerun(
    request: RerunRequest,
    source: Record,
    history: Sequence[HistoryEvent],
    now: int,
    machine: Machine,
) -> Commit:
    """Return all that begins the copy. Whatever was open then, an owner does as after a crash."""
    if request.instance_id == request.source_id:
        raise InvalidRequest(f"a rerun of '{request.source_id}' needs an instance ID of its own")
    wanted, first, end = _wanted(request, history)
    turn = history[first]
    assert isinstance(turn, TurnStarted)  # noqa: S101
    if any(isinstance(event, ExecutionCompleted) for event in history[first:end]):
        raise InvalidRequest(
            f"instance '{request.source_id}' ended in the turn that asked for event "
            f"{request.event_id}: nothing waited for it. Choose an earlier event."
        )
    execution_id = machine.new_uuid().hex
    still_open = Journal(request.source_id, history[:end])
    calls: list[_Call] = [
        *(_later(timer, now - turn.at) for timer in still_open.timers.values()),
        *(
            _renamed(child, request, still_open.started, execution_id)
            for child in still_open.children.values()
        ),
        *still_open.tasks.values(),
    ]
    # By kind too: a timer that never fires may have the number of another action.
    changed = {(type(call), call.id): call for call in calls}
    key = type(wanted), wanted.id
    changed[key] = _overwritten(changed.get(key, wanted), request)
    events: list[HistoryEvent] = []
    for event in history[:end]:
        if isinstance(event, ExecutionStarted):
            seed = event.seed or event.execution_id
            event = msgspec.structs.replace(
                event, execution_id=execution_id, parent=None, start_at=None, seed=seed
            )
        elif isinstance(event, _Call):
            event = changed.get((type(event), event.id), event)
        events.append(event)
    journal = Journal(request.instance_id, events)
    # Due at once, so that an owner in another process finds it too.
    record = new_record(request.instance_id, source.workflow, now, machine)
    record.status, record.wake_at = journal.status, COPIED
    messages = [
        Message(event.instance_id, EventRaised(event.name, event.input))
        for event in history[first:end]
        if isinstance(event, EventSent)
    ]
    if journal.suspended:
        # Whoever paused the source has not paused the copy.
        messages.append(Message(record.id, ExecutionResumed("rerun"), record.birth))
    children = [
        new_child(record, journal, child, now, machine) for child in journal.children.values()
    ]
    return Commit(record, 0, now, events, is_new=True, children=children, messages=messages)


def _wanted(request: RerunRequest, history: Sequence[HistoryEvent]) -> tuple[_Call, int, int]:
    """Return the event, where the turn that asked for it begins, and where the next one does."""
    turns = [place for place, event in enumerate(history) if isinstance(event, TurnStarted)]
    found = [
        (place, event)
        for place, event in enumerate(history)
        if isinstance(event, _Call) and event.id == request.event_id
    ]
    if not found:
        raise EventNotFound(request.source_id, request.event_id)
    place, wanted = min(found, key=lambda place_and_call: _is_optional(place_and_call[1]))
    if isinstance(wanted, ChildCreated) and wanted.detached:
        raise InvalidRequest(
            f"event '{request.event_id}' is a detached workflow spawn and cannot be rerun: start "
            f"workflow '{wanted.name}' anew"
        )
    first = max((turn for turn in turns if turn < place), default=0)
    return wanted, first, min((turn for turn in turns if turn > place), default=len(history))


def _is_optional(call: _Call) -> bool:
    return isinstance(call, TimerCreated) and call.fire_at >= NEVER


def _later(timer: TimerCreated, by: int) -> TimerCreated:
    """Give a timer as long to go as it had then."""
    if timer.fire_at >= NEVER:
        return timer
    return msgspec.structs.replace(timer, fire_at=min(timer.fire_at + by, NEVER))


def _renamed(
    child: ChildCreated, request: RerunRequest, source: ExecutionStarted | None, execution_id: str
) -> ChildCreated:
    """Leave the source its children; an ID that the code has chosen stays what it is."""
    child_id, of_source = child.instance_id, f"{request.source_id}:"
    if child.id == request.event_id and request.child_instance_id is not None:
        child_id = request.child_instance_id
    elif source is not None and child_id == child_instance_id(
        request.source_id, source.execution_id, child.id
    ):
        child_id = child_instance_id(request.instance_id, execution_id, child.id)
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
