"""One event on its way to the application, whatever it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol


class Answer(Enum):
    """What the application makes of an event."""

    SUCCESS = auto()
    RETRY = auto()
    DROP = auto()


@dataclass(frozen=True, slots=True)
class Parcel:
    """An event as it is handed over.

    Attributes:
        path: The path of the application that it goes to.
        event: Its fields, of which `data` is JSON text.
        data: The event as JSON, as it was published.
        pubsub_name: The broker.
        topic: The topic.
        metadata: What the broker has with it; nothing by default.
        is_raw: Whether it was published without an envelope; it was not, by default.
    """

    path: str
    event: Mapping[str, Any]
    data: bytes
    pubsub_name: str
    topic: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    is_raw: bool = False


class Recipient(Protocol):
    """Who takes events: the application over HTTP or gRPC, or the client of a stream."""

    async def deliver(self, parcel: Parcel) -> Answer:
        """Hand an event over, and return what becomes of it.

        Raises:
            AppAway: If nobody is there; then it was not handed over.
        """
        ...

    async def returned(self) -> None:
        """Return once somebody is there again."""
        ...


class BulkRecipient(Recipient, Protocol):
    """Who takes several events in one call, too: the application."""

    async def deliver_all(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """Hand events of one path and one topic over, and return what becomes of each.

        Raises:
            AppAway: If nobody is there; then none was handed over.
        """
        ...
