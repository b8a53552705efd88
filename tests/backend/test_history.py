"""Stored events: what is written is what is read, and the form does not change unnoticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from flowyard.backend.history import (
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
    ExecutionTerminated,
    HistoryEvent,
    Parent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    decode_events,
    encode_events,
)
from flowyard.backend.timestamps import NEVER, to_datetime, to_microseconds
from flowyard.failure import FailureDetails
from flowyard.models import WorkflowStatus

ROOT = FailureDetails("B", "b", non_retryable=True)
FAILURE = FailureDetails("A", "a", "stack", ROOT, base_types=("C",))
STORED: list[tuple[HistoryEvent, str]] = [
    (TurnStarted(1, "v1", ("p",)), '["TurnStarted",1,"v1",["p"]]'),
    (
        ExecutionStarted("w", "1", "e", Parent("i", "e0", "p", 3), 5, "e1"),
        '["ExecutionStarted","w","1","e",["i","e0","p",3],5,"e1",null]',
    ),
    (TaskScheduled(1, "a", None, 1), '["TaskScheduled",1,"a",null,1,null,1,null,0]'),
    (TaskCompleted(1, '"ü"'), '["TaskCompleted",1,"\\"ü\\""]'),
    (
        TaskFailed(1, FAILURE),
        (
            '["TaskFailed",1,{"error_type":"A","message":"a","stack_trace":"stack","cause":{'
            '"error_type":"B","message":"b","stack_trace":null,"cause":null,"non_retryable":true,'
            '"base_types":[]},"non_retryable":false,"base_types":["C"]}]'
        ),
    ),
    (TimerCreated(1, 2, "event", "x", None), '["TimerCreated",1,2,"event","x",null]'),
    (TimerFired(1, NEVER), '["TimerFired",1,253402300799999999]'),
    (
        ChildCreated(1, "w", "i", None),
        '["ChildCreated",1,"w","i",null,false,null,null,0,null]',
    ),
    (ChildCompleted(1, None), '["ChildCompleted",1,null]'),
    (
        ChildFailed(1, FailureDetails("A", "a")),
        (
            '["ChildFailed",1,{"error_type":"A","message":"a","stack_trace":null,"cause":null,'
            '"non_retryable":false,"base_types":[]}]'
        ),
    ),
    (EventRaised("x", None), '["EventRaised","x",null]'),
    (EventSent(1, "i", "x", "1"), '["EventSent",1,"i","x","1"]'),
    (ExecutionSuspended("why"), '["ExecutionSuspended","why"]'),
    (ExecutionResumed(), '["ExecutionResumed",null]'),
    (ExecutionTerminated('"o"', False), '["ExecutionTerminated","\\"o\\"",false]'),
    (
        ExecutionCompleted(WorkflowStatus.COMPLETED, "1"),
        '["ExecutionCompleted","COMPLETED","1",null]',
    ),
    (
        ContinuedAsNew("1", (EventRaised("x", "2"),)),
        '["ContinuedAsNew","1",[["EventRaised","x","2"]]]',
    ),
]


@pytest.mark.parametrize(("event", "text"), STORED, ids=[type(it).__name__ for it, _ in STORED])
def test_an_event_is_stored_in_a_form_that_old_files_have(event: HistoryEvent, text: str) -> None:
    assert encode_events([event]).decode() == f"[{text}]"
    assert decode_events(f"[{text}]".encode()) == [event]


def test_every_kind_of_event_has_its_stored_form_pinned() -> None:
    from typing import get_args

    assert {type(event) for event, _ in STORED} == set(get_args(HistoryEvent))


def test_an_event_stored_before_a_field_was_added_can_be_read() -> None:
    assert decode_events(b'[["TurnStarted",1],["TimerCreated",1,2]]') == [
        TurnStarted(1),
        TimerCreated(1, 2),
    ]
    assert decode_events(b'[["ExecutionStarted","w","1","e",null,5]]') == [
        ExecutionStarted("w", "1", "e", start_at=5)
    ]
    assert decode_events(b'[["TaskScheduled",1,"a",null,1],["ChildCreated",1,"w","i",null]]') == [
        TaskScheduled(1, "a", None, 1),
        ChildCreated(1, "w", "i", None),
    ]


def test_times_are_microseconds_and_a_naive_time_is_utc() -> None:
    noon = datetime(2030, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert to_microseconds(noon) == to_microseconds(noon.replace(tzinfo=None))
    assert to_datetime(to_microseconds(noon)) == noon
    east = noon.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert to_microseconds(east) == to_microseconds(noon)
    assert to_datetime(NEVER) == datetime.max.replace(tzinfo=UTC)
