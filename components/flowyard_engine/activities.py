"""The activities that run in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flowyard.executor import Executor, run_scheduled
from flowyard.history import HistoryEvent, TaskScheduled

OnResult = Callable[[str, str, HistoryEvent], None]


class Activities:
    """Runs each scheduled activity once at a time, and hands its result on."""

    def __init__(self, executor: Executor, on_result: OnResult) -> None:
        self._executor = executor
        self._on_result = on_result
        self._loop = asyncio.get_running_loop()
        self._running: dict[tuple[str, str, int], asyncio.Task[None]] = {}

    def __bool__(self) -> bool:
        return bool(self._running)

    def run(self, instance_id: str, execution_id: str, scheduled: TaskScheduled) -> None:
        """Run an activity, unless it is running already."""
        key = (instance_id, execution_id, scheduled.id)
        if key not in self._running:
            self._running[key] = self._loop.create_task(self._perform(key, scheduled))

    def cancel(self) -> list[asyncio.Task[None]]:
        """Cancel all; what they would have returned is not recorded, so they run again."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        return running

    async def _perform(self, key: tuple[str, str, int], scheduled: TaskScheduled) -> None:
        instance_id, execution_id, _ = key
        try:
            event = await run_scheduled(self._executor, instance_id, execution_id, scheduled)
        finally:
            del self._running[key]
        self._on_result(instance_id, execution_id, event)
