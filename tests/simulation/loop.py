"""An event loop in simulated time. One that is killed is never run again."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, TypeVar

from simulation.world import World

T = TypeVar("T")

# How long a round of the loop may take, in microseconds.
_LONGEST_ROUND = 300


class Handle:
    """What is to be called, as asyncio's own handles, and lighter: most of a seed is made of it."""

    __slots__ = ("args", "callback", "context", "is_cancelled")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context or copy_context()
        self.is_cancelled = False

    def cancel(self) -> None:
        """Have it not be called."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Return whether it is not to be called."""
        return self.is_cancelled


class SimulatedLoop(asyncio.BaseEventLoop):
    """What the engine and its tasks need of an event loop, and no more."""

    def __init__(self, world: World, tell: Callable[[str], None]) -> None:
        # Nothing is taken over from the base: it stands here so that tasks know what a loop has.
        self._world = world
        self._tell = tell
        self._ready: deque[Handle] = deque()
        self._tasks: list[weakref.ref[asyncio.Task[Any]]] = []
        self._is_called = False
        self.is_dead = False
        self.frozen_until = 0

    # What asyncio calls.

    def time(self) -> float:
        return self._world.now / 1e6

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return True  # in that there is nothing to close

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name="simulated", context=context)
        self._tasks.append(weakref.ref(task))
        return task

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        self._call()
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        handle = Handle(callback, args, context)
        self._world.at(round(when * 1e6), lambda: self._ring(handle))
        return handle

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run what would run in a thread, at some time; a dead process's threads are dead too."""
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            if self.is_dead:
                return
            try:
                result = func(*args)
            except BaseException as error:  # noqa: BLE001 - as a thread pool does
                self.call_soon(_settle, future, None, error)
            else:
                self.call_soon(_settle, future, result, None)

        self._world.after(self._world.draw(3_000), run)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self._tell(f"{context.get('message')}: {context.get('exception')!r}")

    # What the simulation calls.

    def kill(self) -> None:
        """Run nothing more."""
        self.is_dead = True
        for reference in self._tasks:
            if (task := reference()) is not None:
                # Nothing is wrong with what a kill has left pending.
                task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._ready.clear()

    def _ring(self, handle: Handle) -> None:
        if not (self.is_dead or handle.is_cancelled):
            self._ready.append(handle)
            self._call()

    def _call(self) -> None:
        if not self._is_called and not self.is_dead:
            self._is_called = True
            self._world.after(self._world.draw(_LONGEST_ROUND), self._round)

    def _round(self) -> None:
        if self.is_dead:
            return
        if self.frozen_until > self._world.now:
            self._world.at(self.frozen_until, self._round)
            return
        self._is_called = False
        ready = self._ready
        asyncio._set_running_loop(self)
        try:
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle.is_cancelled:
                    continue
                try:
                    handle.context.run(handle.callback, *handle.args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - as asyncio's handles do
                    text = f"what the loop has called has failed: {handle.callback}"
                    self.call_exception_handler({"message": text, "exception": error})
        finally:
            asyncio._set_running_loop(None)
        if ready:
            self._call()


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
