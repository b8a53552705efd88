"""What a step puts out: the only commit of an instance, and what the next step is."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from flowyard.backend import (
    ExecutionCompleted,
    FailureDetails,
    HistoryEvent,
    WorkflowStatus,
    decode_events,
    encode_events,
    new_uuid,
)
from flowyard_conductor.api.connection import Json
from flowyard_conductor.hosted.loop_condition import LAST_STEP, MOST_STEPS, output_of

# Longer histories are compressed: they are stored three times, and the server limits their size.
_PLAIN = 2000
_COMPRESSED = "zlib:"
# What is larger, the server keeps in a storage of its own, or refuses.
_LARGEST_OUTPUT = 3_000_000
LARGEST_INPUT = 5_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an instance has ended, as the output of its workflow tells it."""

    status: WorkflowStatus
    result: str | None
    failure: FailureDetails | None
    custom_status: str | None
    renewed_input: str | None = None
    is_renewed: bool = False
    """Whether the last execution has another input than the first."""

    @property
    def completion(self) -> ExecutionCompleted:
        """The event that has ended it."""
        return ExecutionCompleted(self.status, self.result, self.failure)

    def to_json(self) -> Json:
        """Return what the server keeps."""
        message = self.failure.message if self.failure is not None else self.status.lower()
        return {
            "status": self.status.value,
            "result": packed(self.result),
            "failure": msgspec.to_builtins(self.failure),
            "customStatus": self.custom_status,
            "reason": message[:500],
            **({"input": packed(self.renewed_input)} if self.is_renewed else {}),
        }

    @staticmethod
    def of(outcome: Json) -> Outcome:
        """Read it."""
        failure = outcome.get("failure")
        return Outcome(
            WorkflowStatus(outcome["status"]),
            unpacked(outcome.get("result")),
            msgspec.convert(failure, FailureDetails) if failure is not None else None,
            outcome.get("customStatus"),
            unpacked(outcome.get("input")),
            "input" in outcome,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """One commit.

    `events` is what a turn added to the history (all of the history in a base), None where no turn
    was taken. `fused` is the activity that the next step runs. `backlog` begins a new execution.
    `kept` is what had come when the code did not fit: it is still to be taken up. `is_done` says
    that what the events want done was done.
    """

    record_id: str
    events: Sequence[HistoryEvent] | None = None
    is_base: bool = False
    messages: Sequence[str] = ()
    next: Literal["activity", "wait", "turn"] = "turn"
    fused: int | None = None
    activity: str | None = None
    input: str | None = None
    custom_status: str | None = None
    backlog: Sequence[HistoryEvent] | None = None
    children: Sequence[str] | None = None
    side_workflows: dict[str, list[int]] | None = None
    stalled: FailureDetails | None = None
    kept: Sequence[HistoryEvent] = ()
    outcome: Outcome | None = None
    is_done: bool = False

    def to_output(self, number: int = 0) -> Json:
        """Return the output of the step of this number."""
        output: Json = {"recordId": self.record_id, **output_of(number)}
        if self.next != "turn":
            # The name of a turn's task is what the absence of this makes of it.
            output["next"] = self.next
        for key, events in (("history", self.events), ("backlog", self.backlog)):
            if events is not None:
                output[key] = packed(encode_events(events).decode())
        if self.kept:
            output["kept"] = packed(encode_events(self.kept).decode())
        if self.stalled is not None:
            output["stalled"] = msgspec.to_builtins(self.stalled)
        if self.outcome is not None:
            output["end"] = self.outcome.status.value
            output["outcome"] = self.outcome.to_json()
        plain = {
            "isBase": self.is_base or None,
            "messages": list(self.messages) or None,
            "activityId": self.fused,
            "activity": self.activity,
            "input": packed(self.input),
            "customStatus": self.custom_status,
            "children": list(self.children) if self.children is not None else None,
            "sideWorkflows": self.side_workflows,
            "isDone": self.is_done or None,
        }
        output.update({key: value for key, value in plain.items() if value is not None})
        return output

    @staticmethod
    def of(output: Json) -> Record:
        """Read what a step has put out."""
        stalled = output.get("stalled")
        kept = output.get("kept")
        outcome = output.get("outcome")
        return Record(
            record_id=output["recordId"],
            events=_events(output.get("history")),
            is_base=bool(output.get("isBase")),
            messages=output.get("messages") or (),
            next=output.get("next") or "turn",
            fused=output.get("activityId"),
            activity=output.get("activity"),
            input=unpacked(output.get("input")),
            custom_status=output.get("customStatus"),
            backlog=_events(output.get("backlog")),
            children=output.get("children"),
            side_workflows=output.get("sideWorkflows"),
            stalled=msgspec.convert(stalled, FailureDetails) if stalled is not None else None,
            kept=_events(kept) or (),
            outcome=Outcome.of(outcome) if outcome is not None else None,
            is_done=bool(output.get("isDone")),
        )


def new_record_id() -> str:
    """Return what a record is told apart by."""
    return new_uuid().hex[:12]


def too_many(number: int) -> FailureDetails | None:
    """Return why an instance takes no further step after the one of this number, if so."""
    if number < LAST_STEP:
        return None
    return FailureDetails(
        "TooManySteps",
        f"on Conductor, an instance takes no more than {MOST_STEPS:,} steps: have it start another "
        "one, under another ID, before it comes to that",
    )


def too_large(output: Json, largest: int = _LARGEST_OUTPUT) -> FailureDetails | None:
    """Return why something cannot be told to the server, if it cannot."""
    size = size_of(output)
    if size <= largest:
        return None
    return FailureDetails(
        "PayloadTooLarge",
        f"Conductor keeps no more than {largest:,} bytes in one place, and this has {size:,}. Pass "
        "a reference to where the data is instead of the data.",
    )


def size_of(value: object) -> int:
    """Return about how many bytes a value has as JSON."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(size_of(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return sum(size_of(item) for item in value)
    return 8


def packed(text: str | None) -> str | None:
    """Return what the server keeps for a text."""
    if text is None or (len(text) < _PLAIN and not text.startswith(_COMPRESSED)):
        return text
    return _COMPRESSED + base64.b64encode(zlib.compress(text.encode(), 1)).decode()


def unpacked(text: str | None) -> str | None:
    """Return the text again."""
    if text is None or not text.startswith(_COMPRESSED):
        return text
    return zlib.decompress(base64.b64decode(text.removeprefix(_COMPRESSED))).decode()


def _events(text: str | None) -> list[HistoryEvent] | None:
    plain = unpacked(text)
    return decode_events(plain.encode()) if plain is not None else None
