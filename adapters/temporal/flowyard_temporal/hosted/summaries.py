"""What a timer is for, in words that Temporal shows and that can be read back."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from flowyard.backend import TimerCreated, to_datetime, to_microseconds

_decoder = msgspec.json.Decoder(TimerCreated)
_WORDS = {
    "timer": "timer",
    "event": "timeout of event",
    "activity-retry": "retry of activity",
    "child-retry": "retry of child workflow",
}
_ORIGINS = {words: origin for origin, words in _WORDS.items()}
_SUMMARY = re.compile(
    r"(?P<what>[a-z ]+?)(?: '(?P<name>.*)')?"
    r" #(?P<id>\d+)(?: \(first called as #(?P<first>\d+)\))? until (?P<until>\S+)",
    re.DOTALL,
)


def summary_of(timer: TimerCreated) -> str:
    """Return the summary of a timer, for example "timeout of event 'go' #3 until 2026-…"."""
    name = f" '{timer.name}'" if timer.name is not None else ""
    first = f" (first called as #{timer.first_id})" if timer.first_id is not None else ""
    until = to_datetime(timer.fire_at).isoformat(timespec="microseconds")
    return f"{_WORDS[timer.origin]}{name} #{timer.id}{first} until {until}"


def timer_of(summary: str) -> TimerCreated:
    """Return the timer that a summary tells of; those of earlier versions are JSON."""
    found = _SUMMARY.fullmatch(summary)
    if found is None:
        return _decoder.decode(summary)
    first = found["first"]
    return TimerCreated(
        int(found["id"]),
        to_microseconds(datetime.fromisoformat(found["until"])),
        _ORIGINS[found["what"]],  # type: ignore[arg-type]
        found["name"],
        int(first) if first is not None else None,
    )
