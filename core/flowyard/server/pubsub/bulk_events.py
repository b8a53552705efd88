"""Several events in one request, and its answer, as JSON has them (docs/protocol.md §16)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from flowyard.blocks.cloud_events import CONTENT_TYPE
from flowyard.identifier import new_uuid
from flowyard.server.pubsub.delivery import Answer, Parcel

logger = logging.getLogger(__name__)

BULK_TYPE = "com.dapr.event.sent.bulk"
RAW_TYPE = "application/octet-stream"

# Here no status is no answer; of a single event it would mean that it was taken.
_ANSWERS = {"SUCCESS": Answer.SUCCESS, "RETRY": Answer.RETRY, "DROP": Answer.DROP}


def bulk_body(parcels: Sequence[Parcel]) -> tuple[list[str], bytes]:
    """Return the IDs of the entries, in the order of the events, and the body of the request."""
    ids = [str(new_uuid()) for _ in parcels]
    entries = [
        {
            "entryId": entry_id,
            "event": parcel.event["data_base64"] if parcel.is_raw else msgspec.Raw(parcel.data),
            "metadata": parcel.metadata,
            "contentType": RAW_TYPE if parcel.is_raw else CONTENT_TYPE,
        }
        for entry_id, parcel in zip(ids, parcels, strict=True)
    ]
    body = {
        "id": str(new_uuid()),
        "entries": entries,
        "metadata": {},
        "topic": parcels[0].topic,
        "pubsubname": parcels[0].pubsub_name,
        "type": BULK_TYPE,
    }
    return ids, msgspec.json.encode(body)


def bulk_answers(status: int, body: bytes, ids: Sequence[str], first: Parcel) -> list[Answer]:
    """Return what becomes of each entry. One that the answer says nothing of comes again."""
    if status == 404:
        logger.warning(
            "the application has no path %s: %d events of topic '%s' are dropped",
            first.path,
            len(ids),
            first.topic,
        )
        return [Answer.DROP] * len(ids)
    if not 200 <= status < 300:
        logger.warning(
            "the application answers %s with status %d: %d events of topic '%s' were not taken",
            first.path,
            status,
            len(ids),
            first.topic,
        )
        return [Answer.RETRY] * len(ids)
    told = _statuses(body)
    answers = [_ANSWERS.get(told.get(entry_id, "")) for entry_id in ids]
    if None in answers:
        logger.warning(
            "the application answers %s without a status SUCCESS, RETRY or DROP for %d of %d "
            "events of topic '%s', which were not taken",
            first.path,
            answers.count(None),
            len(ids),
            first.topic,
        )
    return [answer or Answer.RETRY for answer in answers]


def _statuses(body: bytes) -> dict[str, str]:
    try:
        told = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    listed = told.get("statuses") if isinstance(told, dict) else None
    found = {}
    for item in listed if isinstance(listed, list) else ():
        entry_id, status = (
            (item.get("entryId"), item.get("status")) if isinstance(item, dict) else (None, None)
        )
        if isinstance(entry_id, str) and isinstance(status, str):
            found[entry_id] = status
    return found
