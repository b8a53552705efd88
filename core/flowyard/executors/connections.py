"""What each connection of workers has in hand: whose an answer is that carries no token."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from flowyard.executors.work import Key

if TYPE_CHECKING:
    from flowyard.executors.worker_streams import Delivery, WorkerStream

# Connections without a stream are remembered for what may still be answered over them. gRPC does
# not tell when they end.
_MOST_LEFT = 20


class Connection:
    """One connection, over which a worker opens a stream and answers, and perhaps another stream.

    An answer without a token belongs to the oldest work of its key that was handed out over the
    connection and not answered, even if nobody waits for it any more.
    """

    def __init__(self) -> None:
        self.streams: list[WorkerStream] = []
        self.sends_tokens = False
        """Whether a worker on it has answered with a token."""
        self.unanswered: dict[Key, list[Delivery]] = {}
        """What was not answered in time, or before its stream ended."""
        self.overdue: set[Key] = set()
        """Keys of which no other work may be handed out, for its answer could be a late one."""

    def trust(self) -> None:
        """Note that tokens come with the answers: none can be taken for another one."""
        self.sends_tokens = True
        self.unanswered.clear()
        self.overdue.clear()

    def oldest(self, key: Key) -> Delivery | None:
        """Return what an answer without a token is for; None if nothing of the kind is here."""
        if (earlier := self.unanswered.get(key)) is not None:
            return earlier[0]
        found: Delivery | None = None
        for stream in self.streams:
            for delivery in stream.outstanding.values():
                if delivery.work.key == key:
                    if found is None or delivery.work.number < found.work.number:
                        found = delivery
                    break
        return found

    def give_up(self, delivery: Delivery, *, is_overdue: bool) -> None:
        """Keep in mind that a work may still be answered."""
        if self.sends_tokens:
            return
        key = delivery.work.key
        self.unanswered.setdefault(key, []).append(delivery)
        if is_overdue:
            self.overdue.add(key)

    def answered(self, delivery: Delivery) -> bool:
        """Note a late answer; true if work of its key may be handed out here again."""
        key = delivery.work.key
        earlier = self.unanswered.get(key)
        if earlier is None or delivery not in earlier:
            return False
        earlier.remove(delivery)
        if earlier:
            return False
        del self.unanswered[key]
        if key not in self.overdue:
            return False
        self.overdue.discard(key)
        return True


class Connections:
    """The connections by their addresses."""

    def __init__(self) -> None:
        self._by_address: dict[str, Connection] = {}
        self._left: OrderedDict[str, None] = OrderedDict()

    def get(self, address: str) -> Connection | None:
        """Return the connection that has this address; None if no worker has come over it."""
        return self._by_address.get(address)

    def open(self, address: str, stream: WorkerStream) -> Connection:
        """Return the connection over which a stream is opened."""
        self._left.pop(address, None)
        connection = self._by_address.setdefault(address, Connection())
        connection.streams.append(stream)
        return connection

    def close(self, address: str, stream: WorkerStream) -> None:
        """Forget a stream, and its connection unless something may still be answered over it."""
        connection = self._by_address[address]
        connection.streams.remove(stream)
        if connection.streams:
            return
        if not connection.unanswered:
            del self._by_address[address]
            return
        self._left[address] = None
        if len(self._left) > _MOST_LEFT:
            oldest, _ = self._left.popitem(last=False)
            del self._by_address[oldest]
