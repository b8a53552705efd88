"""The host: it runs the app's workflows on the server, together with other processes of the app."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from flowyard.backend import (
    BackgroundTasks,
    Clock,
    Executor,
    FlowyardError,
    TaskFailed,
    closed,
    encode_events,
    recorded,
    run_scheduled,
    watch,
)
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.instance import STEP, HostedInstance
from flowyard_conductor.hosted.outbox import BeginChild, EndChildren, Outbox, Send, Tell
from flowyard_conductor.hosted.records import Record, packed, too_large
from flowyard_conductor.hosted.side_workflows import SideWorkflows, scheduled_of
from flowyard_conductor.hosted.stalled import Stalled
from flowyard_conductor.hosted.turns import Turns
from flowyard_conductor.hosted.wakeups import Wakeups
from flowyard_conductor.instances import Instances, Json
from flowyard_conductor.worker.poller import Poller, is_cut_off
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
        inbox: Inbox,
        side_workflows: SideWorkflows,
        executor: Executor,
        clock: Clock,
        logger: logging.Logger,
        begin_child: BeginChild,
        send: Send,
        tell: Tell,
        end_children: EndChildren,
    ) -> None:
        connection, names = instances.connection, instances.names
        settings = connection.settings
        self._names = names
        self._tasks = tasks
        self._executor = executor
        self._logger = logger
        self._background = BackgroundTasks()
        self.cache = InstanceCache(connection, executor)
        self.wakeups = Wakeups(tasks, names, self.cache.read, self._nudge)
        outbox = Outbox(side_workflows, executor, clock, begin_child, send, tell, end_children)
        self.turns = Turns(executor, clock, inbox, side_workflows, outbox)
        self._stalled = Stalled(side_workflows, logger, self._wake)
        self._steps = Steps(
            self.cache,
            tasks,
            self.turns,
            outbox,
            inbox,
            self.wakeups,
            self._stalled,
            names,
            self._nudge,
            lambda: self._pollers[names.activity].free <= 0,
            lambda: self._pollers[names.activity].lend(),
            executor,
            clock,
            self._spawn,
        )
        self._watchdogs = Watchdogs(
            instances,
            names,
            tasks,
            self.cache,
            self.turns,
            side_workflows,
            inbox,
            self.wakeups,
            self._stalled,
            clock,
        )
        slots = {
            names.step: _STEPS_AT_ONCE,
            names.activity: settings.worker_concurrency,
            names.watchdog: _STEPS_AT_ONCE,
        }
        self._pollers = {
            kind: Poller(tasks, kind, self._do, count, settings.poll_interval, logger)
            for kind, count in slots.items()
        }
        self._sweeper = Sweeper(
            tasks,
            (names.step, names.activity),
            settings.lease_seconds,
            lambda kind: self._pollers[kind].free > 0,
            logger,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run until the block is left; what is under way then goes to other processes."""
        unwatch = watch(self._executor, lambda: self._spawn(self._stalled.try_again()))
        polling = [asyncio.create_task(one.run()) for one in self._pollers.values()]
        sweeping = asyncio.create_task(self._sweeper.run())
        try:
            yield
        finally:
            unwatch()
            for poller in self._pollers.values():
                poller.stop()
            sweeping.cancel()
            await asyncio.gather(*polling, sweeping, return_exceptions=True)
            held = list(self._tasks.held.values())
            for poller in self._pollers.values():
                await poller.close()
            await self._tasks.give_back([*held, *await self._tasks.answered()])
            await self._background.wait()

    async def drain(self) -> None:
        """Begin no more activities, and return once those that run are recorded."""
        await self._pollers[self._names.activity].drain()

    def nudge(self, first: Record | None) -> None:
        """An instance was started, with this turn: there may be a step to do."""
        is_activity = first is not None and first.next == "activity"
        self._nudge(self._names.activity if is_activity else self._names.step)

    def find(self, instance_id: str) -> HostedInstance | None:
        """Return an instance if it is here, by its ID."""
        return self.cache.of_instance(instance_id)

    async def _do(self, task: Json) -> Json | None:
        """Do a task; return another one of the same poller."""
        if task["taskType"] == self._names.watchdog:
            await self._watchdogs.run(task)
            return None
        if task["referenceTaskName"].startswith(STEP):
            return await self._steps.run(task)
        return await self._run_side(task)

    async def _run_side(self, task: Json) -> Json | None:
        """Run an activity beside its instance, and wake that."""
        call = task["inputData"]["call"]
        scheduled = scheduled_of(call)
        instance_id, execution_id = call["instanceId"], call["executionId"]

        def drop() -> None:
            """Note that the side workflow was ended, with the instance."""
            closed(self._executor, instance_id, execution_id)

        try:
            async with self._tasks.hold(task, drop):
                event = await run_scheduled(self._executor, instance_id, execution_id, scheduled)
        except asyncio.CancelledError:
            # The executor has dropped it: the execution has ended, or others shall begin it.
            if is_cut_off() or await self._is_current(call):
                raise
            return await self._tasks.complete(task, {})
        output = {"event": packed(encode_events([event]).decode())}
        if (excess := too_large(output)) is not None:
            event = TaskFailed(scheduled.id, excess)
            output = {"event": packed(encode_events([event]).decode())}
        failure = event.failure.message if isinstance(event, TaskFailed) else None
        following = await self._tasks.complete(task, output, failure)
        # Also where the server has dropped it: it has given the activity to somebody else.
        recorded(self._executor, instance_id, execution_id, scheduled.id)
        instance = self.cache.find(call["workflowId"])
        started = instance.journal.started if instance is not None else None
        is_current = started is not None and started.execution_id == execution_id
        if instance is not None and is_current:
            instance.results[scheduled.id] = round(time.time() * 1000), event
        needed = call["needed"] if failure is None else ()
        if needed and (instance is None or not is_current or not instance.has_results_of(needed)):
            # The last one wakes the instance; if it runs elsewhere, the watchdog of all does.
            return following
        await self._wake(call["workflowId"])
        return following

    async def _is_current(self, call: Json) -> bool:
        """Whether the execution that has asked for an activity goes on."""
        instance = await self.cache.read(call["workflowId"])
        started = instance.journal.started if instance is not None else None
        return started is not None and started.execution_id == call["executionId"]

    async def _wake(self, workflow_id: str) -> None:
        await self.wakeups.wake(workflow_id, self.cache.find(workflow_id))

    def _nudge(self, kind: str) -> None:
        self._pollers[kind].nudge()

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        self._background.run(self._logged(work))

    async def _logged(self, work: Coroutine[object, object, object]) -> None:
        try:
            await work
        except FlowyardError as error:
            # All that is done like this is done again by a watchdog, or merely tidies up.
            self._logger.warning("a background task failed, and will be done later: %s", error)
        except Exception:
            self._logger.exception("a background task failed, and will be done later")
