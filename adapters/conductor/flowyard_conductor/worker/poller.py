"""Pollers: they ask the server for tasks of one type, and are told when there may be some."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from flowyard.backend import FlowyardError
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.worker.slots import Slots

_BATCH = 20
_SHORTEST_WAIT_SECONDS = 0.02
_GATHERING = 0.005

Do: TypeAlias = Callable[[Json], Awaitable[Json | None]]


def is_cut_off() -> bool:
    """Whether somebody has cancelled the running asyncio task."""
    running = asyncio.current_task()
    return running is None or running.cancelling() > 0


class Poller:
    """Polls one type of tasks, and does as many at a time as it may."""

    def __init__(
        self,
        tasks: Tasks,
        kind: str,
        do: Do,
        slots: Slots,
        longest_wait: float,
        logger: logging.Logger,
    ) -> None:
        self._tasks = tasks
        self._kind = kind
        self._do = do
        self._slots = slots
        self._longest_wait = longest_wait
        self._logger = logger
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Poll until closed. A poll is never cut off: what it brings would be lost for a while."""
        expected = self._tasks.expected(self._kind)
        wait = _SHORTEST_WAIT_SECONDS
        while not self._slots.is_closed:
            expected.clear()
            count = min(self._slots.free, _BATCH)
            polled: list[Json] = []
            if count > 0:
                try:
                    polled = await self._tasks.poll(self._kind, count)
                except FlowyardError as error:
                    self._logger.warning(
                        "this process cannot fetch tasks from Conductor, and tries again: %s", error
                    )
                    wait = self._longest_wait
                except Exception:
                    self._logger.exception(
                        "this process cannot fetch tasks from Conductor, and tries again"
                    )
                    wait = self._longest_wait
            if self._slots.is_closed:
                await self._tasks.give_back(polled)
                return
            for task in polled:
                self._start(task)
            if polled and len(polled) == count:
                continue
            wait = _SHORTEST_WAIT_SECONDS if polled else min(wait * 1.5, self._longest_wait)
            try:
                async with asyncio.timeout(wait):
                    await expected.wait()
            except TimeoutError:
                continue
            wait = _SHORTEST_WAIT_SECONDS
            # One poll is for all that comes at about the same time.
            await asyncio.sleep(_GATHERING)

    async def close(self) -> None:
        """Cut off what runs."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start(self, task: Json) -> None:
        self._slots.take()
        running = asyncio.create_task(self._run(task))
        self._running.add(running)
        running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._running.discard(running)
        self._slots.release()

    async def _run(self, task: Json) -> None:
        following: Json | None = task
        while following is not None:
            if following is not task and self._slots.is_closed:
                await self._tasks.give_back([following])
                return
            task = following
            try:
                following = await self._do(task)
            except FlowyardError as error:
                self._logger.warning(
                    "task %s failed, and will be done again: %s", task["taskId"], error
                )
                await self._again(task)
                return
            except asyncio.CancelledError:
                if is_cut_off():
                    raise
                # The executor does not do it: others shall.
                await self._tasks.give_back([task])
                return
            except BaseException:
                # Whatever it is, a task that nobody answers would stand still.
                self._logger.exception("task %s failed, and will be done again", task["taskId"])
                await self._again(task)
                return

    async def _again(self, task: Json) -> None:
        try:
            await self._tasks.put_off(task, 1)
        except FlowyardError:
            # The lease runs out instead.
            return
