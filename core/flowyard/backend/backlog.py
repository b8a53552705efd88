"""What a host still has to do with an instance, as it is stored besides the history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from flowyard.backend.history import EventRaised, ExecutionStarted, HistoryEvent


class Unsent(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """An event that an execution has sent, or an instance that it has started.

    `execution_id` and `id` are those of the action. It is stored with the sender from the turn that
    decided it until the receiver has stored it.
    """

    execution_id: str
    id: int
    instance_id: str
    event: EventRaised | ExecutionStarted
    is_detached: bool = False


class Received(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Marks that an action of another instance has arrived, so that it does not arrive twice.

    It is stored with the receiver for as long as the sender may send it again.
    """

    instance_id: str
    execution_id: str
    id: int


BacklogEvent: TypeAlias = HistoryEvent | Unsent | Received
"""What a backlog consists of."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[list[BacklogEvent]] = msgspec.json.Decoder(list[BacklogEvent])


def encode_backlog(events: Iterable[BacklogEvent]) -> bytes:
    """Return the stored form: a JSON array with one tagged array per event."""
    return _encoder.encode(events)


def decode_backlog(data: bytes) -> list[BacklogEvent]:
    """Read what `encode_backlog` wrote."""
    return _decoder.decode(data)
