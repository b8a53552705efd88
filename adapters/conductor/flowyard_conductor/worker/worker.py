"""The worker: with other processes of the app, it runs its workflows on the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from flowyard.backend import BackgroundTasks, Clock, Executor, FlowyardError, watch
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.children import Children
from flowyard_conductor.hosted.delivery import Delivery
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.instance import STEP
from flowyard_conductor.hosted.outbox import Outbox
from flowyard_conductor.hosted.parents import Parents
from flowyard_conductor.hosted.side_workflows import SideWorkflows
from flowyard_conductor.hosted.stalled import Stalled
from flowyard_conductor.hosted.turns import Turns
from flowyard_conductor.hosted.wakeups import Wakeups
from flowyard_conductor.instances import Instances
from flowyard_conductor.worker.commits import Commits
from flowyard_conductor.worker.poller import Poller
from flowyard_conductor.worker.side_activities import SideActivities
from flowyard_conductor.worker.slots import Slots
from flowyard_conductor.worker.steps import Steps
from flowyard_conductor.worker.sweeper import Sweeper
from flowyard_conductor.worker.watchdogs import Watchdogs

# Turns and watchdogs wait for the server, mostly.
_STEPS_AT_ONCE = 1000


class Worker:
    """Polls for the tasks of the app's instances, and does them."""

    def __init__(
        self,
        instances: Instances,
        tasks: Tasks,
        cache: InstanceCache,
        wakeups: Wakeups,
        inbox: Inbox,
        side_workflows: SideWorkflows,
        turns: Turns,
        delivery: Delivery,
        parents: Parents,
        children: Children,
        executor: Executor,
        clock: Clock,
        logger: logging.Logger,
    ) -> None:
        names, settings = instances.names, instances.connection.settings
        self._names = names
        self._tasks = tasks
        self._executor = executor
        self._background = BackgroundTasks(partial(_tell_error, logger))
        self._slots = {
            kind: Slots(count, tasks.expected(kind))
            for kind, count in (
                (names.step, _STEPS_AT_ONCE),
                (names.activity, settings.worker_concurrency),
                (names.watchdog, _STEPS_AT_ONCE),
            )
        }
        self._pollers = [
            Poller(tasks, kind, self._do, slots, settings.poll_interval, logger)
            for kind, slots in self._slots.items()
        ]
        swept = {kind: self._slots[kind] for kind in (names.step, names.activity)}
        self._sweeper = Sweeper(tasks, swept, settings.lease_seconds, logger)
        self._stalled = Stalled(side_workflows, wakeups, logger)
        self._steps = Steps(
            names,
            tasks,
            cache,
            turns,
            Outbox(children, delivery, side_workflows, executor, clock),
            children,
            self._stalled,
            Commits(
                names,
                tasks,
                cache,
                inbox,
                side_workflows,
                parents,
                wakeups,
                executor,
                clock,
                self._background,
            ),
            self._slots[names.activity],
            executor,
            clock,
        )
        self._side_activities = SideActivities(tasks, cache, wakeups, executor)
        self._watchdogs = Watchdogs(
            instances, names, tasks, cache, turns, inbox, wakeups, self._stalled, clock
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run until the block is left; what is under way then goes to other processes."""
        unwatch = watch(self._executor, self._try_stalled_again)
        polling = [asyncio.create_task(poller.run()) for poller in self._pollers]
        sweeping = asyncio.create_task(self._sweeper.run())
        try:
            yield
        finally:
            unwatch()
            for slots in self._slots.values():
                slots.close()
            sweeping.cancel()
            await asyncio.gather(*polling, sweeping, return_exceptions=True)
            held = list(self._tasks.held.values())
            for poller in self._pollers:
                await poller.close()
            await self._tasks.give_back([*held, *await self._tasks.answered()])
            await self._background.wait()

    async def drain(self) -> None:
        """Begin no more activities, and return once those that run are recorded."""
        slots = self._slots[self._names.activity]
        slots.close()
        await slots.idle()

    def _try_stalled_again(self) -> None:
        self._background.run(self._stalled.try_again())

    async def _do(self, task: Json) -> Json | None:
        """Do a task; return another one of the same poller."""
        if task["taskType"] == self._names.watchdog:
            await self._watchdogs.run(task)
            return None
        if task["referenceTaskName"].startswith(STEP):
            return await self._steps.run(task)
        return await self._side_activities.run(task)


def _tell_error(logger: logging.Logger, work: asyncio.Task[Any]) -> None:
    """Tell of what was not done: a watchdog does it again, or it would only have tidied up."""
    error = None if work.cancelled() else work.exception()
    if isinstance(error, FlowyardError):
        logger.warning("a background task failed, and will be done later: %s", error)
    elif error is not None:
        logger.error("a background task failed, and will be done later", exc_info=error)
