"""An event as gRPC has it (docs/protocol.md §16)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from flowyard.blocks.cloud_events import CONTENT_TYPE
from flowyard.identifier import new_uuid
from flowyard.server.pubsub.bulk_events import BULK_TYPE, RAW_TYPE
from flowyard.server.pubsub.delivery import Answer, Parcel
from flowyard.wire.v1 import pubsub_pb2 as wire

ANSWERS: Mapping[int, Answer] = {0: Answer.SUCCESS, 1: Answer.RETRY, 2: Answer.DROP}

_FIELDS = frozenset(
    {"id", "source", "type", "specversion", "datacontenttype", "data", "data_base64"}
)


def topic_event(parcel: Parcel) -> wire.TopicEventRequest:
    """Return the message that an application over gRPC, or the client of a stream, is sent."""
    event = parcel.event
    return wire.TopicEventRequest(
        id=_text(event, "id"),
        source=_text(event, "source"),
        type=_text(event, "type"),
        spec_version=_text(event, "specversion"),
        data_content_type=_text(event, "datacontenttype"),
        topic=parcel.topic,
        data=_data(event),
        pubsub_name=parcel.pubsub_name,
        path=parcel.path,
        extensions=_extensions(event),
    )


def bulk_topic_event(parcels: Sequence[Parcel]) -> tuple[list[str], wire.BulkTopicEventRequest]:
    """Return the IDs of the entries, in the order of the events, and the message with all."""
    entries = [_entry(parcel) for parcel in parcels]
    request = wire.BulkTopicEventRequest(
        id=str(new_uuid()),
        entries=entries,
        topic=parcels[0].topic,
        pubsub_name=parcels[0].pubsub_name,
        type=BULK_TYPE,
        path=parcels[0].path,
    )
    return [entry.entry_id for entry in entries], request


def _entry(parcel: Parcel) -> wire.BulkTopicEventEntry:
    event = parcel.event
    entry = wire.BulkTopicEventEntry(entry_id=str(new_uuid()), metadata=parcel.metadata)
    if parcel.is_raw:
        entry.bytes = _data(event)
        entry.content_type = RAW_TYPE
        return entry
    entry.content_type = CONTENT_TYPE
    entry.cloud_event.CopyFrom(
        wire.BulkTopicEventData(
            id=_text(event, "id"),
            source=_text(event, "source"),
            type=_text(event, "type"),
            spec_version=_text(event, "specversion"),
            data_content_type=_text(event, "datacontenttype"),
            data=_data(event),
            extensions=_extensions(event),
        )
    )
    return entry


def _extensions(event: Mapping[str, Any]) -> Struct:
    """Return the fields of an event that have none of their own."""
    rest = {name: value for name, value in event.items() if name not in _FIELDS}
    extensions = Struct()
    json_format.ParseDict(rest, extensions)
    return extensions


def _data(event: Mapping[str, Any]) -> bytes:
    """Return the data itself: decoded, or text, or JSON as it was published."""
    encoded = event.get("data_base64")
    if isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return b""
    data = event.get("data")
    if data is None:
        return b""
    raw = bytes(data)
    if raw.startswith(b'"') and not _is_json(_text(event, "datacontenttype")):
        return msgspec.json.decode(raw, type=str).encode()
    return raw


def _is_json(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    return media == "application/json" or media.endswith("+json")


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""
