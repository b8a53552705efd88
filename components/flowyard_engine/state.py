"""From rows to the state that callers see."""

from __future__ import annotations

import msgspec

from flowyard.backend import FailureDetails, WorkflowState, to_datetime
from flowyard_engine.store import Snapshot


def to_state(snapshot: Snapshot) -> WorkflowState:
    """Build the state of an instance."""
    record, completion = snapshot.record, snapshot.completion
    failure = completion.failure if completion is not None else None
    detail = None
    if record.stalled is not None:
        failure = msgspec.json.decode(record.stalled, type=FailureDetails)
        detail = failure.message
    return WorkflowState(
        instance_id=record.id,
        workflow=record.workflow,
        status=record.status,
        created_at=to_datetime(record.created_at),
        last_updated_at=to_datetime(snapshot.updated_at),
        input=snapshot.started.input if snapshot.started is not None else None,
        output=completion.output if completion is not None else None,
        custom_status=record.custom_status,
        failure=failure,
        parent_instance_id=record.parent_id,
        detail=detail,
    )
