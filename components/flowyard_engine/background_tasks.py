"""Background work of the engine, and who wants to know when it is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

from flowyard_engine.store import LeaseLost


class BackgroundTasks:
    """Tasks that nobody awaits; a failure is logged."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        # In their order, which that of a set is not: a simulation must repeat it.
        self._tasks: dict[asyncio.Task[object], None] = {}
        self._listeners: list[asyncio.Future[None]] = []

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def run(self, work: Coroutine[object, object, object]) -> None:
        """Run it in the background."""
        task = self._loop.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def cancel(self) -> list[asyncio.Task[object]]:
        """Cancel all."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        return tasks

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

    def _ended(self, task: asyncio.Task[object]) -> None:
        del self._tasks[task]
        if not task.cancelled():
            error = task.exception()
            if error is not None and not isinstance(error, LeaseLost):
                self._logger.error("background work of the engine failed", exc_info=error)
        self.notice()


def is_cancelled() -> bool:
    """Whether the present task is being ended, and not only what it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
