"""History events over HTTP: all of their fields, there and back."""

from __future__ import annotations

import json

import pytest

from flowyard.backend.history import (
    LINEAGE,
    ChildCreated,
    ExecutionStarted,
    HistoryChunk,
    HistoryEvent,
    Parent,
    Propagated,
    TaskScheduled,
    TurnStarted,
    encode_events,
)
from flowyard.failure import FailureDetails
from flowyard.wire.json.events import event_json, event_of

REFUSED = FailureDetails("AppNotServed", "another app", non_retryable=True)
TOLD = HistoryChunk(
    "caller", "order", encode_events([TurnStarted(5), ExecutionStarted("order", "1", "e")]).decode()
)
EVENTS: list[HistoryEvent] = [
    ChildCreated(1, "pack", "box", "2", True, 9, REFUSED, LINEAGE, 1),
    TaskScheduled(2**30 + 1, "pay", None, 1, None, 2, REFUSED, LINEAGE),
    ExecutionStarted(
        "pack", None, "e2", Parent("a", "b", "c", 1), 4, "s", Propagated(LINEAGE, (TOLD, TOLD))
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_told_with_all_that_it_has(event: HistoryEvent) -> None:
    assert event_of(json.loads(json.dumps(event_json(event)))) == event


def test_what_an_execution_was_told_can_be_read_by_people() -> None:
    (first, _) = event_json(EVENTS[2])["propagated"]["chunks"]
    assert first["instanceID"] == "caller"
    assert [event["type"] for event in first["events"]] == ["TurnStarted", "ExecutionStarted"]
