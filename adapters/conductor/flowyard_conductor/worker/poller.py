"""Pollers: they ask the server for tasks of one type, and are told when there may be some."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from flowyard.backend import FlowyardError
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.instances import Json

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
        self, tasks: Tasks, kind: str, do: Do, slots: int, longest_wait: float, log: logging.Logger
    ) -> None:
        self._tasks = tasks
        self._kind = kind
        self._do = do
        self._slots = slots
        self._longest_wait = longest_wait
        self._logger = log
        self._nudge = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._lent = 0
        self._is_closing = False
        self._is_idle = asyncio.Event()
        """Set when nothing runs, once it polls no more."""

    @property
    def free(self) -> int:
        """How many more tasks it may do now."""
        if self._is_closing:
            return 0
        return self._slots - len(self._running) - self._lent

    @contextmanager
    def lend(self) -> Iterator[None]:
        """Do one task less meanwhile: another poller has one of this kind."""
        self._lent += 1
        try:
            yield
        finally:
            self._lent -= 1
            self._look_if_free()

    def nudge(self) -> None:
        """There may be a task."""
        self._nudge.set()

    async def run(self) -> None:
        """Poll until closed. A poll is never cut off: what it brings would be lost for a while."""
        wait = _SHORTEST_WAIT_SECONDS
        while not self._is_closing:
            self._nudge.clear()
            count = min(self.free, _BATCH)
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
            if self._is_closing:
                await self._tasks.give_back(polled)
                return
            for task in polled:
                self._start(task)
            if polled and len(polled) == count:
                continue
            wait = _SHORTEST_WAIT_SECONDS if polled else min(wait * 1.5, self._longest_wait)
            try:
                async with asyncio.timeout(wait):
                    await self._nudge.wait()
            except TimeoutError:
                continue
            wait = _SHORTEST_WAIT_SECONDS
            # One poll is for all that comes at about the same time.
            await asyncio.sleep(_GATHERING)

    def stop(self) -> None:
        """Poll no more."""
        self._is_closing = True
        self._nudge.set()

    async def drain(self) -> None:
        """Poll no more, and return once nothing runs, here or by a slot that was lent."""
        self.stop()
        self._look_if_idle()
        await self._is_idle.wait()

    async def close(self) -> None:
        """Cut off what runs."""
        for one in self._running:
            one.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start(self, task: Json) -> None:
        running = asyncio.create_task(self._run(task))
        self._running.add(running)
        running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._running.discard(running)
        self._look_if_free()

    def _look_if_free(self) -> None:
        if self.free == 1:
            self._nudge.set()
        self._look_if_idle()

    def _look_if_idle(self) -> None:
        if self._is_closing and not self._running and not self._lent:
            self._is_idle.set()

    async def _run(self, task: Json) -> None:
        following: Json | None = task
        while following is not None:
            if following is not task and self._is_closing:
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
