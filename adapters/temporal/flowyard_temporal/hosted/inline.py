"""Where Temporal's SDK runs workflow code: not in threads, but on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(ThreadPoolExecutor):
    """Has done what it is asked for by the time it answers.

    Turns are short, so a thread costs more than it brings. And the SDK fails a turn that has no
    result after two seconds, the time included for which it waited for a thread: with long
    histories that are replayed, it would never come to an end.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call the function outside of the task and the loop that ask for it: it has its own."""
        future: Future[T] = Future()
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        asyncio._leave_task(loop, task)  # noqa: SLF001
        asyncio._set_running_loop(None)  # noqa: SLF001
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
            future.set_exception(error)
        finally:
            asyncio._set_running_loop(loop)  # noqa: SLF001
            asyncio._enter_task(loop, task)  # noqa: SLF001
        return future
