"""The activities that run in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from flowyard.backend import (
    AcknowledgingExecutor,
    Executor,
    FailureDetails,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    recorded,
    run_scheduled,
)
from flowyard_engine.background_tasks import is_cancelled
from flowyard_engine.instance import Entry

OnResult = Callable[[str, Entry], None]


class Activities:
    """Runs each scheduled activity once at a time, and hands its result on."""

    def __init__(self, executor: Executor, on_result: OnResult, on_end: Callable[[], None]) -> None:
        self._executor = executor
        self._on_result = on_result
        self._on_end = on_end
        self._acknowledges = isinstance(executor, AcknowledgingExecutor)
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
        event: TaskCompleted | TaskFailed | None = None
        try:
            event = await run_scheduled(self._executor, instance_id, execution_id, scheduled)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            # The executor has given it up: nobody wants its result any more.
        except Exception as error:  # noqa: BLE001 - a fault of the executor; the task needs an end
            event = TaskFailed(scheduled.id, FailureDetails.of(error))
        finally:
            del self._running[key]
        if event is not None:
            entry = Entry(event, execution_id=execution_id)
            if self._acknowledges:
                entry.ack = self._loop.create_future()
                entry.ack.add_done_callback(partial(self._note_recorded, key))
            self._on_result(instance_id, entry)
        self._on_end()

    def _note_recorded(self, key: tuple[str, str, int], ack: asyncio.Future[bool]) -> None:
        if not ack.cancelled() and ack.exception() is None:
            recorded(self._executor, *key)
