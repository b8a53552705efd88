"""The IDs of events that an activity publishes: the same at each repetition."""

from __future__ import annotations

from itertools import count
from uuid import NAMESPACE_OID, uuid5


class EventIds:
    """Gives the IDs of one call of an activity, in the order of its events.

    Args:
        execution_id: The `task_execution_id` of the call.
    """

    def __init__(self, execution_id: str) -> None:
        self._execution_id = execution_id
        self._counts: dict[tuple[str, str], count[int]] = {}

    def next(self, pubsub_name: str, topic: str) -> str:
        """Return the ID of the next event to a topic."""
        counter = self._counts.setdefault((pubsub_name, topic), count(1))
        return event_id(self._execution_id, pubsub_name, topic, next(counter))


def event_id(execution_id: str, pubsub_name: str, topic: str, number: int) -> str:
    """Return the ID of an event that a call of an activity publishes, the same in each attempt.

    Args:
        execution_id: The `task_execution_id` of the call.
        pubsub_name: The broker.
        topic: The topic.
        number: The number of the event among those that the call publishes there, from 1.

    Returns:
        A UUID, which is what IDs of events look like.
    """
    name = "\0".join(("flowyard", execution_id, pubsub_name, topic, str(number)))
    return str(uuid5(NAMESPACE_OID, name))
