"""How children begin, what they are told of their ancestors, and what their parents are told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from flowyard.backend.history import (
    LINEAGE,
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryChunk,
    HistoryEvent,
    Parent,
    Propagated,
    encode_events,
)
from flowyard.failure import FailureDetails
from flowyard.models import WorkflowStatus


def propagated(
    instance_id: str, history: Sequence[HistoryEvent], scope: int, call: HistoryEvent | None = None
) -> Propagated:
    """Return what a call is told of an execution.

    Args:
        instance_id: The ID of the instance that calls.
        history: The events of its execution.
        scope: 1 for this execution alone, 2 for what it was told itself, too.
        call: The action, up to which the events are told; all of them by default.
    """
    events: list[HistoryEvent] = []
    workflow = ""
    chunks: tuple[HistoryChunk, ...] = ()
    for event in history:
        if isinstance(event, ExecutionStarted):
            workflow = event.workflow
            if event.propagated is not None:
                chunks = event.propagated.chunks if scope >= LINEAGE else ()
                event = msgspec.structs.replace(event, propagated=None)
        events.append(event)
        if event == call:
            break
    own = HistoryChunk(instance_id, workflow, encode_events(events).decode())
    return Propagated(scope, (*chunks, own))


def child_started(
    link: Parent, child: ChildCreated, execution_id: str, told: Propagated | None
) -> ExecutionStarted:
    """Return what begins a child, or a detached instance.

    Args:
        link: The parent; a detached instance has none all the same.
        child: The action that calls it.
        execution_id: The ID of the child's execution.
        told: The history that it is told; None for none.
    """
    return ExecutionStarted(
        child.name,
        child.input,
        execution_id,
        None if child.detached else link,
        child.start_at,
        propagated=told,
    )


def result_for_parent(
    link: Parent, instance_id: str, completion: ExecutionCompleted
) -> ChildCompleted | ChildFailed:
    """Return the event that tells a parent how its child has ended.

    Args:
        link: The parent, and the action that has called the child.
        instance_id: The ID of the child.
        completion: The end of the child.
    """
    if completion.status is WorkflowStatus.COMPLETED:
        return ChildCompleted(link.task_id, completion.output)
    failure = completion.failure or FailureDetails(
        "WorkflowTerminated", f"child workflow '{instance_id}' was terminated"
    )
    return ChildFailed(link.task_id, failure)
