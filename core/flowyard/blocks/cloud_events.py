"""The envelope that Dapr puts around what is published: CloudEvents 1.0 (docs/protocol.md §16).

What stands in `data` keeps the text that was sent, digit by digit.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from flowyard.backend.durations import parse_duration
from flowyard.backend.timestamps import to_datetime
from flowyard.errors import InvalidRequest, PayloadError

CONTENT_TYPE = "application/cloudevents+json"
DEFAULT_TYPE = "com.dapr.event.sent"
DEFAULT_SOURCE = "Dapr"
SPEC_VERSION = "1.0"

_LONGEST_LIFE = timedelta(days=365 * 1000)
_BINARY = frozenset({"application/octet-stream", "application/cloudevents+protobuf"})
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_SETTABLE = ("id", "source", "type", "traceid", "traceparent", "tracestate", "subject")

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from.

    Attributes:
        pubsub_name: The name of the component.
        topic: The topic.
        app_id: The application that publishes it.
        event_id: Its ID, unless the metadata have one.
        now: The time, in microseconds since the Unix epoch.
        traceparent: The trace that it belongs to, in W3C's form; "" for none.
        tracestate: What else tracers have said; "" for nothing.
    """

    pubsub_name: str
    topic: str
    app_id: str
    event_id: str
    now: int
    traceparent: str = ""
    tracestate: str = ""


def media_type(content_type: str) -> str:
    """Return a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    """Whether data of this type is a JSON value of the envelope."""
    return media_type(content_type) == "application/json"


def is_raw(metadata: Mapping[str, str]) -> bool:
    """Whether the metadata want no envelope; raise `InvalidRequest` for what is no boolean."""
    value = find(metadata, "rawPayload")
    if value is None or value in _FALSE:
        return False
    if value in _TRUE:
        return True
    raise InvalidRequest(f'strconv.ParseBool: parsing "{value}": invalid syntax')


def find(metadata: Mapping[str, str], key: str) -> str | None:
    """Return a value, whose key counts without case."""
    wanted = key.lower()
    return next((value for name, value in metadata.items() if name.lower() == wanted), None)


def envelope(data: bytes, content_type: str, metadata: Mapping[str, str], origin: Origin) -> bytes:
    """Return the event that is published, as JSON; raise `PayloadError` if it cannot be one."""
    if media_type(content_type) == CONTENT_TYPE:
        event = _completed(data, metadata, origin)
    else:
        event = _made(data, content_type, metadata, origin)
    ttl = _ttl(metadata)
    if ttl is not None:
        event["expiration"] = _rfc3339(to_datetime(origin.now) + timedelta(seconds=ttl))
    return msgspec.json.encode(event, order="sorted")


def wrapped(data: bytes, pubsub_name: str, topic: str, event_id: str) -> dict[str, Any]:
    """Return the event that is made, on delivery, of a message without an envelope."""
    return {
        "id": event_id,
        "specversion": SPEC_VERSION,
        "datacontenttype": "application/octet-stream",
        "source": DEFAULT_SOURCE,
        "type": DEFAULT_TYPE,
        "topic": topic,
        "pubsubname": pubsub_name,
        "data_base64": base64.b64encode(data).decode(),
    }


def decode(data: bytes) -> dict[str, Any]:
    """Return the fields of an event, with `data` as it is written; raise `PayloadError`."""
    try:
        fields = _fields(data)
        event = {
            # As it is: it may be large, and what it says is the application's business.
            name: raw if name == "data" else msgspec.json.decode(raw)
            for name, raw in fields.items()
        }
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"the message is not a CloudEvent: {error}") from error
    return event


def is_expired(event: Event, now: int) -> bool:
    """Whether the time to live of an event is over."""
    expiration = event.get("expiration")
    if not isinstance(expiration, str):
        return False
    try:
        until = datetime.fromisoformat(expiration)
    except ValueError:
        return False
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return until <= to_datetime(now)


def _made(
    data: bytes, content_type: str, metadata: Mapping[str, str], origin: Origin
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": origin.event_id,
        "source": origin.app_id,
        "type": DEFAULT_TYPE,
        "specversion": SPEC_VERSION,
        "datacontenttype": content_type or "text/plain",
        "topic": origin.topic,
        "pubsubname": origin.pubsub_name,
        "traceid": origin.traceparent,
        "traceparent": origin.traceparent,
        "tracestate": origin.tracestate,
        "time": _local_time(origin.now),
    }
    if is_json(content_type):
        event["data"] = _json_or_text(data)
    elif media_type(content_type) in _BINARY:
        event["data_base64"] = base64.b64encode(data).decode()
    else:
        event["data"] = data.decode(errors="replace")
    for name in _SETTABLE:
        given = find(metadata, f"cloudevent.{name}")
        if given is not None:
            event[name] = given
    return event


def _completed(data: bytes, metadata: Mapping[str, str], origin: Origin) -> dict[str, Any]:
    """Return an event that the publisher has made, with what it lacks."""
    try:
        event: dict[str, Any] = dict(_fields(data))
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"the data is not a CloudEvent: {error}") from error
    event |= {"topic": origin.topic, "pubsubname": origin.pubsub_name}
    defaults = {
        "traceid": find(metadata, "cloudevent.traceid") or origin.traceparent,
        "traceparent": find(metadata, "cloudevent.traceparent") or origin.traceparent,
        "tracestate": find(metadata, "cloudevent.tracestate") or origin.tracestate,
        "time": _local_time(origin.now),
        "source": DEFAULT_SOURCE,
        "type": DEFAULT_TYPE,
        "specversion": SPEC_VERSION,
    }
    return {**defaults, **event}


def _json_or_text(data: bytes) -> msgspec.Raw | str:
    try:
        data.decode()
        return msgspec.json.decode(data, type=msgspec.Raw).copy()
    except (ValueError, RecursionError):
        return data.decode(errors="replace")


def _fields(data: bytes) -> dict[str, msgspec.Raw]:
    data.decode()  # which the parser checks only in what it reads
    return msgspec.json.decode(data, type=dict[str, msgspec.Raw])


def _ttl(metadata: Mapping[str, str]) -> float | None:
    """Return the seconds that an event lives; a value that is none counts for nothing."""
    text = find(metadata, "ttl") or find(metadata, "ttlInSeconds") or ""
    try:
        lived = parse_duration(f"{text}s" if text.isdecimal() else text.strip())
    except ValueError:
        return None
    return lived.total_seconds() if timedelta(0) < lived < _LONGEST_LIFE else None


def _local_time(now: int) -> str:
    return _rfc3339(to_datetime(now).astimezone())


def _rfc3339(time: datetime) -> str:
    text = time.isoformat(timespec="seconds")
    return f"{text.removesuffix('+00:00')}Z" if text.endswith("+00:00") else text
