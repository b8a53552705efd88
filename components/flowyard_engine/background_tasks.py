"""Background work of the engine, and who wants to know when it is done."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from flowyard.backend import BackgroundTasks
from flowyard_engine.store import LeaseLost


class EngineTasks(BackgroundTasks):
    """Logs what fails, and tells when anything has ended."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(self._look_at)
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._listeners: list[asyncio.Future[None]] = []

    async def progress(self) -> None:
        """Return when something has ended that might have been the last to end."""
        listener: asyncio.Future[None] = self._loop.create_future()
        self._listeners.append(listener)
        await listener

    def notice(self) -> None:
        """Something has ended."""
        if self._listeners:
            listeners, self._listeners = self._listeners, []
            for listener in listeners:
                if not listener.done():
                    listener.set_result(None)

    def _look_at(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            error = task.exception()
            if error is not None and not isinstance(error, LeaseLost):
                self._logger.error("a background task of the engine failed", exc_info=error)
        self.notice()


def is_cancelled() -> bool:
    """Whether the present task is being ended, and not only what it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
