"""Several messages in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flowyard.blocks.broker import NO_TRACE, Broker, Trace
from flowyard.errors import TopicForbidden
from flowyard.server.block_errors import BlockError
from flowyard.server.pubsub.faults import envelope_of, forbidden, send, unreadable


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of several. `metadata` is None where it has none of its own."""

    entry_id: str
    data: bytes
    content_type: str
    metadata: Mapping[str, str] | None = field(default=None)


async def publish_all(
    broker: Broker,
    topic: str,
    entries: Sequence[Entry],
    metadata: Mapping[str, str],
    trace: Trace = NO_TRACE,
) -> dict[str, str]:
    """Publish one after another; return the errors of those that were not, by their IDs.

    Raises:
        BlockError: If nothing was published.
    """
    ids = [entry.entry_id for entry in entries]
    if not all(ids) or len(set(ids)) < len(ids):
        raise unreadable(topic, broker.name, "entryId is duplicated or not present for entry")
    try:
        broker.check(topic)
    except TopicForbidden as error:
        raise forbidden(error, broker.name) from error
    prepared = []
    for entry in entries:
        # Those of the request count only for an entry that has some itself, as in Dapr.
        settings = {} if entry.metadata is None else {**metadata, **entry.metadata}
        event = envelope_of(broker, topic, entry.data, entry.content_type, settings, trace)
        prepared.append((entry.entry_id, event, settings))
    failed: dict[str, str] = {}
    for entry_id, event, settings in prepared:
        try:
            await send(broker, topic, event, settings)
        except BlockError as error:
            failed[entry_id] = error.fault.message
    return failed
