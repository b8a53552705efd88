"""Delivery: an event for an instance is made durable, and a turn of that looks at it."""

from __future__ import annotations

from flowyard.backend import (
    EventRaised,
    HistoryEvent,
    InstanceNotFound,
    InvalidRequest,
    UnsupportedOperation,
)
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.wakeups import Wakeups
from flowyard_conductor.instances import Instances
from flowyard_conductor.native.management import Natives


class Delivery:
    """Delivers events to instances, from outside and from other instances."""

    def __init__(
        self, instances: Instances, natives: Natives, inbox: Inbox, wakeups: Wakeups
    ) -> None:
        self._instances = instances
        self._natives = natives
        self._inbox = inbox
        self._wakeups = wakeups

    async def deliver(
        self,
        workflow_id: str,
        event: HistoryEvent,
        *,
        key: str | None = None,
        execution_id: str | None = None,
        ends: bool = False,
    ) -> None:
        """Post an event to a hosted instance, or to one execution of it, and wake it."""
        await self._inbox.post(workflow_id, event, key=key, execution_id=execution_id)
        await self._wakeups.wake(workflow_id, ends=ends)

    async def send(self, instance_id: str, event: EventRaised, key: str) -> None:
        """Send an event of one instance to another, if there is one that can take it."""
        try:
            found = await self._instances.find(instance_id)
        except (InstanceNotFound, InvalidRequest):
            return
        if not found.is_active:
            return
        if found.workflow is not None:
            await self.deliver(found.workflow_id, event, key=key)
            return
        try:
            await self._natives.raise_event(found, event.name, event.input)
        except (InstanceNotFound, InvalidRequest, UnsupportedOperation):
            # Nobody waits for it there, and a sender is told of nothing.
            return
