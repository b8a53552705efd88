"""Callers that wait for instances to close."""

from __future__ import annotations

import asyncio

from flowyard.backend import WorkflowState


class Waiters:
    """Futures by instance ID."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[WorkflowState]]] = {}

    def __contains__(self, instance_id: str) -> bool:
        return instance_id in self._waiting

    def add(self, instance_id: str) -> asyncio.Future[WorkflowState]:
        """Return a future of the closed state."""
        waiter: asyncio.Future[WorkflowState] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(instance_id, []).append(waiter)
        return waiter

    def remove(self, instance_id: str, waiter: asyncio.Future[WorkflowState]) -> None:
        """Give up waiting."""
        waiting = self._waiting.get(instance_id, [])
        if waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._waiting[instance_id]

    def tell(self, state: WorkflowState) -> None:
        """The instance has closed."""
        for waiter in self._waiting.pop(state.instance_id, ()):
            if not waiter.done():
                waiter.set_result(state)

    def fail(self, error: Exception, *instance_ids: str) -> None:
        """Nobody will be told of these instances, or of any if none is named."""
        for instance_id in instance_ids or tuple(self._waiting):
            for waiter in self._waiting.pop(instance_id, ()):
                if not waiter.done():
                    waiter.set_exception(error)
                    waiter.exception()  # whoever waits may have met with another error first
