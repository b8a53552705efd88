"""Tasks that nobody awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundTasks:
    """Holds tasks until they end: asyncio itself forgets a task that nobody holds.

    Args:
        on_end: Called with each task that has ended, whatever its end. Without it, nobody looks at
            their errors.
    """

    def __init__(self, on_end: Callable[[asyncio.Task[Any]], None] | None = None) -> None:
        self._on_end = on_end
        # In their order, which that of a set is not: a simulation must repeat it.
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def run(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Run a coroutine in the background, in the running event loop.

        Args:
            work: The coroutine.

        Returns:
            The task that runs it, which need not be kept.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Cancel all tasks, and return them, for the caller to wait for their ends."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        return tasks

    async def wait(self) -> None:
        """Return once none is left, including those that begin meanwhile."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        if not task.cancelled():
            task.exception()  # Python warns of an error that nobody has looked at
        if self._on_end is not None:
            self._on_end(task)
