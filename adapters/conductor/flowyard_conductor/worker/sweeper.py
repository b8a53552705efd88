"""The sweeper: tasks of processes and servers that died are handed out again in time.

The server looks at a workflow again only after a minute or more, and a message that it had handed
out when it died comes back as late. So whoever runs looks at the tasks that are under way, which
are few, and leaves the many instances alone that wait.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from flowyard.backend import FlowyardError
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.worker.slots import Slots

# How long a task may lie in its queue while somebody polls it, in seconds.
_LOST_SECONDS = 5.0


class Sweeper:
    """Looks again and again at the tasks of some types."""

    def __init__(
        self,
        tasks: Tasks,
        slots: Mapping[str, Slots],
        lease_seconds: float,
        logger: logging.Logger,
    ) -> None:
        self._tasks = tasks
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._logger = logger
        self._seen: dict[str, tuple[object, float]] = {}

    async def run(self) -> None:
        """Sweep until cancelled."""
        interval = min(self._lease_seconds / 8, 2.0)
        while True:
            await asyncio.sleep(interval)
            try:
                await self._sweep()
            except FlowyardError as error:
                self._logger.warning(
                    "tasks of ended processes cannot be looked for, which is tried again: %s", error
                )
            except Exception:
                self._logger.exception(
                    "tasks of ended processes cannot be looked for, which is tried again"
                )

    async def _sweep(self) -> None:
        now = time.monotonic()
        seen: dict[str, tuple[object, float]] = {}
        for kind in self._slots:
            for task in await self._tasks.pending(kind):
                task_id = task["taskId"]
                if task_id in self._tasks.held:
                    continue
                state = (task["status"], task.get("updateTime"), task.get("pollCount"))
                before = self._seen.get(task_id)
                since = before[1] if before is not None and before[0] == state else now
                seen[task_id] = state, since
                if await self._is_mended(kind, task, now - since):
                    seen[task_id] = state, now
        self._seen = seen

    async def _is_mended(self, kind: str, task: Json, age: float) -> bool:
        """Do something about a task that nothing has happened to for so long."""
        # By our clock and since we have looked: the server's may tell another time.
        if task["status"] == "IN_PROGRESS":
            if age <= self._lease_seconds or task.get("callbackAfterSeconds"):
                return False
            await self._tasks.decide(task["workflowInstanceId"])
            return True
        if age <= _LOST_SECONDS or self._slots[kind].free <= 0:
            return False
        await self._tasks.requeue(task)
        return True
