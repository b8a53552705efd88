"""What a host still has to do with an instance, as it is stored besides the history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from flowyard.backend.history import EventRaised, ExecutionStarted, HistoryEvent


class Unsent(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """An event that an execution has sent, or an instance that it has started.

    It is stored with the sender from the turn that decided it until the receiver has stored it.

    Attributes:
        execution_id: The execution that has decided it.
        id: The ID of the action in that execution.
        instance_id: The ID of the receiver, or of the new instance.
        event: The event that the receiver gets, or the start of the new instance.
        is_detached: Whether a new instance has no parent, which is not told if it cannot be
            started; False by default.
    """

    execution_id: str
    id: int
    instance_id: str
    event: EventRaised | ExecutionStarted
    is_detached: bool = False


class Received(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Marks that an action of another instance has arrived, so that it does not arrive twice.

    It is stored with the receiver for as long as the sender may send it again.

    Attributes:
        instance_id: The ID of the sender.
        execution_id: The sender's execution that has decided it.
        id: The ID of the action in that execution.
    """

    instance_id: str
    execution_id: str
    id: int


BacklogEvent: TypeAlias = HistoryEvent | Unsent | Received
"""What a backlog consists of."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[list[BacklogEvent]] = msgspec.json.Decoder(list[BacklogEvent])


def encode_backlog(events: Iterable[BacklogEvent]) -> bytes:
    """Return the stored form: a JSON array with one tagged array per event.

    Args:
        events: The backlog of an instance, in its order.
    """
    return _encoder.encode(events)


def decode_backlog(data: bytes) -> list[BacklogEvent]:
    """Return the backlog that `encode_backlog` has written, also that of an earlier version.

    Args:
        data: The stored form.

    Raises:
        msgspec.DecodeError: If it is not one, or has events that this version does not know.
    """
    return _decoder.decode(data)
