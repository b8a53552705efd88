"""Messages: events on their way to a hosted instance.

Each is a workflow of its own, which makes it durable, keeps it in order and lets a turn remove it
once it has taken it. Until then its watchdog wakes the instance, whoever has died meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from flowyard.backend import (
    ExecutionTerminated,
    HistoryEvent,
    InvalidRequest,
    decode_events,
    encode_events,
)
from flowyard_conductor.api.connection import Connection, Json
from flowyard_conductor.api.names import Names
from flowyard_conductor.hosted.definitions import Definitions
from flowyard_conductor.hosted.records import LARGEST_INPUT, packed, too_large, unpacked

# When its watchdog looks after a message for the first time, in seconds.
_WATCHDOG_DELAY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Message:
    """An event for an instance, or for one execution of it. Messages of one key count once."""

    workflow_id: str
    key: str
    event: HistoryEvent
    execution_id: str | None
    at: int
    """When it was posted, in milliseconds by the server's clock."""


class Inbox:
    """Posts, lists and removes messages."""

    def __init__(self, connection: Connection, names: Names, definitions: Definitions) -> None:
        self._connection = connection
        self._names = names
        self._definition = definitions.message(_WATCHDOG_DELAY_SECONDS)

    async def post(
        self,
        workflow_id: str,
        event: HistoryEvent,
        *,
        key: str | None = None,
        execution_id: str | None = None,
    ) -> str:
        """Make an event durable, and return the ID of the workflow that carries it."""
        body: Json = {
            "name": self._names.message,
            "version": 1,
            "workflowDef": self._definition,
            "correlationId": _correlation(workflow_id),
            "input": {
                "workflowId": workflow_id,
                "event": packed(encode_events([event]).decode()),
                "key": key,
                "executionId": execution_id,
                # For those that the server starts within one millisecond.
                "order": time.time_ns(),
            },
        }
        if (excess := too_large(body["input"], LARGEST_INPUT)) is not None:
            raise InvalidRequest(f"the event cannot be sent: {excess.message}")
        return str(await self._connection.post("/workflow", body))

    async def messages(self, workflow_id: str) -> list[Message]:
        """Return what nobody has removed yet, in order."""
        found = await self.workflows(workflow_id)
        found.sort(key=lambda run: (run["createTime"], run["input"]["order"]))
        return [_message(run) for run in found]

    async def workflows(self, workflow_id: str) -> list[Json]:
        """Return the workflows that carry messages of an instance."""
        found: list[Json] = await self._connection.get(
            f"/workflow/{self._names.message}/correlated/{_correlation(workflow_id)}",
            includeClosed=True,
        )
        return found

    async def remove(self, messages: Iterable[Message]) -> None:
        """Remove messages that a turn has taken.

        What ends the instance stays until it has ended: who ends an activity early for it may
        overtake the turn, which the server then drops without saying so.
        """
        for message in messages:
            if not isinstance(message.event, ExecutionTerminated):
                await self.discard(message.workflow_id)

    async def discard(self, message_workflow_id: str) -> None:
        """Remove messages that nobody will take."""
        await self._connection.remove(message_workflow_id)


def is_terminated_by(messages: Iterable[Message]) -> bool:
    """Return whether these messages end an instance."""
    return any(isinstance(message.event, ExecutionTerminated) for message in messages)


def _correlation(workflow_id: str) -> str:
    return f"message~{workflow_id}"


def _message(workflow: Json) -> Message:
    given = workflow["input"]
    (event,) = decode_events((unpacked(given["event"]) or "").encode())
    key = given.get("key") or workflow["workflowId"]
    return Message(
        workflow["workflowId"], key, event, given.get("executionId"), workflow["createTime"]
    )
