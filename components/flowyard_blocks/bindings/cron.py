"""`bindings.cron`: events at times (docs/protocol.md §17)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict, field_validator

from flowyard.backend import (
    Alarm,
    BackgroundTasks,
    Binding,
    BindingCapability,
    BindingEvent,
    Clock,
    ComponentContext,
    ComponentType,
    hookimpl,
    to_datetime,
    to_microseconds,
)
from flowyard_blocks.bindings.schedules import Schedule

# A tick does not wait for the one before; but who takes none at all is not sent ever more.
_MOST_AT_ONCE = 10


class CronSettings(BaseModel):
    """When."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: str

    @field_validator("schedule")
    @classmethod
    def _can_be_used(cls, schedule: str) -> str:
        Schedule(schedule)
        return schedule


class CronBinding(Binding):
    """The ticks of one schedule."""

    def __init__(self, name: str, schedule: Schedule, clock: Clock, logger: logging.Logger) -> None:
        super().__init__(name)
        self._schedule = schedule
        self._clock = clock
        self._logger = logger

    @asynccontextmanager
    async def read(self, handler: Callable[[BindingEvent], Awaitable[None]]) -> AsyncIterator[None]:
        ticks = _Ticks(self._schedule, self._clock, self._logger, handler)
        ticks.begin()
        try:
            yield
        finally:
            await ticks.end()


class _Ticks:
    """The ticks of one reader, whatever becomes of each."""

    def __init__(
        self,
        schedule: Schedule,
        clock: Clock,
        logger: logging.Logger,
        handler: Callable[[BindingEvent], Awaitable[None]],
    ) -> None:
        self._schedule = schedule
        self._clock = clock
        self._logger = logger
        self._handler = handler
        self._tasks = BackgroundTasks(self._ended)
        self._running = 0
        self._alarm: Alarm | None = None

    def begin(self) -> None:
        due = self._schedule.after(to_datetime(self._clock.now()))
        self._alarm = self._clock.call_at(to_microseconds(due), self._tick)

    async def end(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        await asyncio.gather(*self._tasks.cancel(), return_exceptions=True)

    def _tick(self) -> None:
        self.begin()
        if self._running >= _MOST_AT_ONCE:
            self._logger.warning(
                "a tick is left out: %d before it have not been taken yet", self._running
            )
            return
        self._running += 1
        now = to_datetime(self._clock.now())
        metadata = {
            "timeZone": self._schedule.zone_name,
            "readTimeUTC": f"{now:%Y-%m-%d %H:%M:%S.%f} +0000 UTC",
        }
        self._tasks.run(self._hand_over(BindingEvent(b"", metadata)))

    async def _hand_over(self, event: BindingEvent) -> None:
        try:
            await self._handler(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next tick comes
            self._logger.warning("a tick was not taken: %s", error)

    def _ended(self, _task: object) -> None:
        self._running -= 1


@asynccontextmanager
async def _open(settings: CronSettings, context: ComponentContext) -> AsyncIterator[CronBinding]:
    yield CronBinding(context.name, Schedule(settings.schedule), context.clock, context.logger)


CRON = ComponentType(
    name="bindings.cron",
    settings=CronSettings,
    open=_open,
    capabilities=frozenset({BindingCapability.INPUT}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[CronSettings, CronBinding]:
    """Offer `bindings.cron`."""
    return CRON
