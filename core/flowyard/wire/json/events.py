"""History events as JSON that people can read, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, get_args

import msgspec

from flowyard.backend.history import (
    HistoryChunk,
    HistoryEvent,
    Parent,
    Propagated,
    decode_events,
    encode_events,
)
from flowyard.backend.timestamps import to_datetime, to_microseconds
from flowyard.failure import FailureDetails
from flowyard.wire.json.states import failure_json, failure_of, field_key, time_text

_KINDS: Mapping[str, type[msgspec.Struct]] = {
    kind.__name__: kind for kind in get_args(HistoryEvent)
}
_TIMES = frozenset({"at", "fire_at", "start_at"})
_FAILURES = frozenset({"failure", "refused"})


def event_json(event: msgspec.Struct) -> dict[str, Any]:
    """Return an event with the name of its type and its fields, times as text."""
    return {"type": type(event).__name__, **_fields_json(event)}


def event_of(document: Mapping[str, Any]) -> HistoryEvent:
    """Read what `event_json` wrote; raises `KeyError` or `msgspec.ValidationError`."""
    event: HistoryEvent = msgspec.convert(_row(document), HistoryEvent)
    return event


def _fields_json(struct: msgspec.Struct) -> dict[str, Any]:
    return {
        field_key(name): _value_json(name, getattr(struct, name))
        for name in struct.__struct_fields__
    }


def _value_json(name: str, value: Any) -> Any:
    if name in _TIMES and value is not None:
        return time_text(to_datetime(value))
    if isinstance(value, FailureDetails):
        return failure_json(value)
    if isinstance(value, Parent):
        return _fields_json(value)
    if isinstance(value, Propagated):
        return {"scope": value.scope, "chunks": [_chunk_json(chunk) for chunk in value.chunks]}
    if isinstance(value, tuple):
        return [event_json(item) if isinstance(item, msgspec.Struct) else item for item in value]
    return value


def _chunk_json(chunk: HistoryChunk) -> dict[str, Any]:
    events = decode_events(chunk.events.encode())
    document: dict[str, Any] = _fields_json(chunk)
    return {**document, "events": [event_json(event) for event in events]}


def _chunk_row(document: Mapping[str, Any]) -> list[Any]:
    events = encode_events([event_of(event) for event in document["events"]]).decode()
    return _values(HistoryChunk, {**document, "events": events})


def _row(document: Mapping[str, Any]) -> list[Any]:
    """Return the array that msgspec reads: the type's name, then the fields in their order."""
    kind = document["type"]
    return [kind, *_values(_KINDS[kind], document)]


def _values(kind: type[msgspec.Struct], document: Mapping[str, Any]) -> list[Any]:
    return [_value_of(name, document[field_key(name)]) for name in kind.__struct_fields__]


def _value_of(name: str, value: Any) -> Any:
    if name in _TIMES and value is not None:
        return to_microseconds(datetime.fromisoformat(value))
    if name == "parent" and value is not None:
        return _values(Parent, value)
    if name in _FAILURES and value is not None:
        return asdict(failure_of(value))
    if name == "propagated" and value is not None:
        return [value["scope"], [_chunk_row(chunk) for chunk in value["chunks"]]]
    if isinstance(value, list):
        return [_row(item) if isinstance(item, Mapping) else item for item in value]
    return value
