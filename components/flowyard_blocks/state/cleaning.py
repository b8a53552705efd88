"""Removing what has expired, from time to time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from flowyard.backend import Alarm, BackgroundTasks, Clock, FlowyardError


@asynccontextmanager
async def cleaning(
    clock: Clock,
    interval: timedelta,
    clean_up: Callable[[timedelta], Awaitable[None]],
    logger: logging.Logger,
) -> AsyncIterator[None]:
    """Call `clean_up` after each interval until the end of the block; never if it is 0."""
    if not interval:
        yield
        return
    tasks = BackgroundTasks()
    step = interval // timedelta(microseconds=1)

    async def clean() -> None:
        try:
            await clean_up(interval)
        except FlowyardError as error:
            logger.warning("what has expired could not be removed, and will be later: %s", error)

    def wait() -> None:
        alarms[:] = [clock.call_at(clock.now() + step, ring)]

    def ring() -> None:
        tasks.run(clean())
        wait()

    alarms: list[Alarm] = []
    wait()
    try:
        yield
    finally:
        for alarm in alarms:
            alarm.cancel()
        await asyncio.gather(*tasks.cancel(), return_exceptions=True)
