"""The history of a hosted execution, from what Temporal has recorded of it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent as Recorded
from temporalio.common import RawValue

from flowyard.backend import (
    CHILD_IDS,
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ContinuedAsNew,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    FailureDetails,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TurnStarted,
    decode_events,
)
from flowyard_temporal.hosted.application_errors import refusal_of, termination_of
from flowyard_temporal.hosted.detached import START
from flowyard_temporal.hosted.hosted_input import Beginning, Call, read_beginning
from flowyard_temporal.hosted.summaries import timer_of
from flowyard_temporal.hosted.worker_context import RECORD, WAKE
from flowyard_temporal.hosted.workflow import IDS_IN_ORDER, PAUSE, RESUME, SENDS_IN_ORDER
from flowyard_temporal.native.history import Translation
from flowyard_temporal.payloads import hosted_text_of

_PATCH = "core_patch"
_LOCAL_ACTIVITY = "core_local_activity"
_UNKNOWN = -1

_call_decoder = msgspec.json.Decoder(Call)
_marked_decoder = msgspec.json.Decoder(dict[str, object])


def hosted_history(recorded: Iterable[Recorded]) -> list[HistoryEvent]:
    """Return the events of a run as the host's journal has them."""
    translation = _HostedTranslation()
    for event in recorded:
        translation.add(event)
    return translation.finished()


class _HostedTranslation(Translation):
    """The IDs are those of the actions, which the host has written into what it asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._ids: dict[int, int] = {}
        self._updates: dict[str, HistoryEvent] = {}
        self._own_timers: set[str] = set()
        self._version: str | None = None
        self._recorded_sends: list[EventSent] = []
        """What a marker has told of and the server is yet to send."""

    def add(self, event: Recorded) -> None:
        if self._is_of_the_host(event):
            return
        if event.HasField("marker_recorded_event_attributes"):
            self._mark(event)
        elif event.HasField("workflow_execution_update_accepted_event_attributes"):
            request = event.workflow_execution_update_accepted_event_attributes.accepted_request
            reason = msgspec.json.decode(request.input.args.payloads[0].data or b"null")
            if request.input.name == PAUSE:
                self._updates[request.meta.update_id] = ExecutionSuspended(reason)
            elif request.input.name == RESUME:
                self._updates[request.meta.update_id] = ExecutionResumed(reason)
        elif event.HasField("workflow_execution_update_completed_event_attributes"):
            completed = event.workflow_execution_update_completed_event_attributes
            switched = self._updates.pop(completed.meta.update_id, None)
            if switched is not None and completed.outcome.success.payloads[0].data == b"true":
                self.happened(event, switched)
        else:
            super().add(event)

    def _is_of_the_host(self, event: Recorded) -> bool:
        """Whether it is about a timer of the host's own, which has no summary."""
        started = event.HasField("timer_started_event_attributes")
        if started and not event.user_metadata.HasField("summary"):
            self._own_timers.add(event.timer_started_event_attributes.timer_id)
            return True
        if event.HasField("timer_fired_event_attributes"):
            return event.timer_fired_event_attributes.timer_id in self._own_timers
        return False

    def happened(self, event: Recorded, outer: HistoryEvent) -> None:
        if isinstance(outer, ExecutionStarted):
            beginning = _beginning_of(
                event.workflow_execution_started_event_attributes.input.payloads, outer
            )
            self._version = beginning.version
            for first in beginning.events:
                super().happened(event, first)
        elif isinstance(outer, (TaskCompleted, ChildCompleted)):
            output = _result_of(event)
            done = msgspec.structs.replace(outer, task_id=self._ids[outer.task_id], output=output)
            super().happened(event, done)
        elif isinstance(outer, (TaskFailed, ChildFailed)):
            failure = _failure_of(event) or outer.failure
            task_id = self._ids[outer.task_id]
            failed = msgspec.structs.replace(outer, task_id=task_id, failure=failure)
            super().happened(event, failed)
        elif not (isinstance(outer, EventRaised) and outer.name == WAKE):
            super().happened(event, outer)

    def decided(self, event: Recorded, action: HistoryEvent) -> None:
        if isinstance(action, EventSent) and self._is_recorded(action):
            return
        if self._since:
            # A marker told of it within the workflow task, whose code has seen it since.
            self._turn(self._since_when)
        known = self._known(event, action)
        if isinstance(known, (TaskScheduled, ChildCreated, TimerCreated)):
            self._ids[event.event_id] = known.id
        super().decided(event, known)

    def finished(self) -> list[HistoryEvent]:
        events = super().finished()
        # What is sent carries no ID; IDs are dense, so the missing ones are theirs.
        used = {getattr(event, "id", _UNKNOWN) for event in events}
        free = (number for number in range(1, len(events) + 1) if number not in used)
        for index, event in enumerate(events):
            if isinstance(event, EventSent) and event.id == _UNKNOWN:
                events[index] = msgspec.structs.replace(event, id=next(free))
        first = events[0]
        if isinstance(first, TurnStarted):
            events[0] = msgspec.structs.replace(first, version=self._version)
        return events

    def _known(self, event: Recorded, action: HistoryEvent) -> HistoryEvent:
        """Return an action with what the host has said of it."""
        if isinstance(action, TaskScheduled):
            scheduled = event.activity_task_scheduled_event_attributes
            given = scheduled.input.payloads
            call = _call_decoder.decode(given[1].data)
            return TaskScheduled(
                int(scheduled.activity_id),
                action.name,
                hosted_text_of(given),
                call.first_id,
                call.call_id,
                call.attempt,
                propagation=call.propagation,
            )
        if isinstance(action, TimerCreated):
            summary = event.user_metadata.summary.data
            return timer_of(msgspec.json.decode(summary, type=str))
        if isinstance(action, ChildCreated):
            created = event.start_child_workflow_execution_initiated_event_attributes
            child = _beginning_of(created.input.payloads, action)
            started = next(event for event in child.events if isinstance(event, ExecutionStarted))
            assert started.parent is not None  # noqa: S101
            return ChildCreated(
                started.parent.task_id, action.name, action.instance_id, started.input
            )
        if isinstance(action, ExecutionCompleted) and action.failure is None:
            return msgspec.structs.replace(action, output=_result_of(event))
        if isinstance(action, EventSent):
            return msgspec.structs.replace(action, id=_UNKNOWN)
        if isinstance(action, ContinuedAsNew):
            continued = event.workflow_execution_continued_as_new_event_attributes
            following = _beginning_of(continued.input.payloads, action)
            carried = [event for event in following.events if isinstance(event, EventRaised)]
            return ContinuedAsNew(hosted_text_of(continued.input.payloads), tuple(carried))
        return action

    def _mark(self, event: Recorded) -> None:
        marker = event.marker_recorded_event_attributes
        if marker.marker_name == _LOCAL_ACTIVITY:
            data = _marked_decoder.decode(marker.details["data"].payloads[0].data)
            if data.get("activity_type") in {START, RECORD}:
                text = hosted_text_of(marker.details["result"].payloads) or "[]"
                for recorded in decode_events(text.encode()):
                    if isinstance(recorded, EventSent):
                        self._recorded_sends.append(recorded)
                    if isinstance(recorded, (ChildCreated, EventSent)):
                        self._insert(recorded)
                    else:
                        super().happened(event, recorded)
            return
        if marker.marker_name != _PATCH:
            return
        patch = _marked_decoder.decode(marker.details["patch-data"].payloads[0].data)["id"]
        if patch in {CHILD_IDS, IDS_IN_ORDER, SENDS_IN_ORDER}:
            return
        for index in range(len(self.events) - 1, -1, -1):
            turn = self.events[index]
            if isinstance(turn, TurnStarted):
                patches = (*turn.patches, str(patch))
                self.events[index] = msgspec.structs.replace(turn, patches=patches)
                return

    def _is_recorded(self, sent: EventSent) -> bool:
        """Whether a marker has told of what the server sends now."""
        for recorded in self._recorded_sends:
            if msgspec.structs.replace(sent, id=recorded.id) == recorded:
                self._recorded_sends.remove(recorded)
                return True
        return False

    def _insert(self, action: ChildCreated | EventSent) -> None:
        """Note an action whose marker may come after those of later ones."""
        place = len(self.events)
        while place and getattr(self.events[place - 1], "id", _UNKNOWN) > action.id:
            place -= 1
        self.events.insert(place, action)


def _result_of(event: Recorded) -> str | None:
    attributes = getattr(event, event.WhichOneof("attributes") or "")
    return hosted_text_of(attributes.result.payloads)


def _failure_of(event: Recorded) -> FailureDetails | None:
    """Return what the host tells the parent of a child that was refused or terminated."""
    if event.HasField("start_child_workflow_execution_failed_event_attributes"):
        refused = event.start_child_workflow_execution_failed_event_attributes
        return refusal_of(refused.workflow_id)
    if event.HasField("child_workflow_execution_terminated_event_attributes"):
        ended = event.child_workflow_execution_terminated_event_attributes
        return termination_of(ended.workflow_execution.workflow_id)
    return None


def _beginning_of(given: Iterable[Payload], event: object) -> Beginning:
    workflow: str = getattr(event, "workflow", "") or getattr(event, "name", "")
    run_id = getattr(event, "execution_id", "")
    return read_beginning([RawValue(payload) for payload in given], workflow, run_id)
