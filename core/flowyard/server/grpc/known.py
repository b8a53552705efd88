"""What history says of the numbers and the patches that an answer names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flowyard.backend.executor import Turn
from flowyard.backend.history import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    EventSent,
    ExecutionResumed,
    ExecutionSuspended,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
)
from flowyard.backend.timestamps import NEVER
from flowyard.wire.v1 import taskhub_pb2 as wire

_NEVER_SECONDS = NEVER // 1_000_000
# SDKs of old retry under the number of the first attempt. Here every action has a number of its
# own, and theirs begin so high that no execution gets there.
_OWN_NUMBERS = 2**30


def number_of(event: TaskScheduled | ChildCreated) -> int:
    """Return the number that the worker knows an action by."""
    if event.id >= _OWN_NUMBERS and event.first_id is not None:
        return event.first_id
    return event.id


def is_optional(action: wire.WorkflowAction) -> bool:
    """Whether it is the timer that never fires of an event which is waited for without an end.

    SDKs from 1.18 on ask for one, and take its number for another action where the code wants.
    """
    timer = action.create_timer
    return (
        action.HasField("create_timer")
        and timer.HasField("external_event")
        and timer.fire_at.seconds >= _NEVER_SECONDS
    )


@dataclass(slots=True)
class Known:
    """The actions that history has, by the numbers that workers know them by."""

    actions: dict[int, HistoryEvent] = field(default_factory=dict)
    """The latest of each number."""
    optional: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    """The numbers whose latest attempt has failed."""
    patches: tuple[str, ...] = ()
    is_suspended: bool = False
    has_fired: bool = False
    """Whether a timer has fired in the turn: then something may be tried again."""
    own_numbers: int = 0

    @staticmethod
    def of(turn: Turn) -> Known:
        """Return what the history of a turn says."""
        known = Known()
        actions, failed = known.actions, known.failed
        numbers: dict[int, int] = {}
        patches: dict[str, None] = {}
        for events in (turn.past, turn.new):
            event: Any  # by its kind, for speed: this reads the whole history at each answer
            for event in events:
                kind = type(event)
                if kind is TurnStarted:
                    patches.update(dict.fromkeys(event.patches))
                elif kind is TaskScheduled or kind is ChildCreated:
                    number = numbers[event.id] = number_of(event)
                    actions[number] = event
                    failed.discard(number)
                    known.own_numbers += number != event.id
                elif kind is TimerCreated:
                    if event.origin == "event" and event.fire_at >= NEVER:
                        known.optional.add(event.id)
                    else:
                        actions[event.id] = event
                elif kind is EventSent:
                    actions[event.id] = event
                elif kind is TaskFailed or kind is ChildFailed:
                    failed.add(numbers.get(event.task_id, event.task_id))
                elif failed and (kind is TaskCompleted or kind is ChildCompleted):
                    failed.discard(numbers.get(event.task_id, event.task_id))
                elif kind is ExecutionSuspended or kind is ExecutionResumed:
                    known.is_suspended = kind is ExecutionSuspended
        known.patches = tuple(patches)
        known.has_fired = any(isinstance(event, TimerFired) for event in turn.new)
        return known

    def has(self, action: wire.WorkflowAction) -> bool:
        """Whether history has the action already."""
        if action.HasField("complete_workflow"):
            return False
        if is_optional(action) and action.id in self.optional:
            return True
        return action.id in self.actions and self.retried(action) is None

    def retried(self, action: wire.WorkflowAction) -> int | None:
        """Return the number of the first attempt if this is another one under its number."""
        earlier = self.actions.get(action.id)
        if not self.has_fired or action.id not in self.failed:
            return None
        if isinstance(earlier, TaskScheduled):
            is_again = action.schedule_task.name == earlier.name
        else:
            is_again = (
                isinstance(earlier, ChildCreated)
                and action.create_child_workflow.name == earlier.name
            )
        return action.id if is_again else None

    def new_number(self) -> int:
        """Return a number for an attempt that comes under another's."""
        self.own_numbers += 1
        return _OWN_NUMBERS + self.own_numbers
