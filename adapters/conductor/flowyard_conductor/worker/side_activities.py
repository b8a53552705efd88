"""Activities that run beside their instance, in a side workflow."""

from __future__ import annotations

import asyncio
import time

from flowyard.backend import (
    Executor,
    TaskFailed,
    closed,
    encode_events,
    recorded,
    run_scheduled,
)
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.records import packed, too_large
from flowyard_conductor.hosted.side_workflows import scheduled_of
from flowyard_conductor.hosted.wakeups import Wakeups
from flowyard_conductor.worker.poller import is_cut_off


class SideActivities:
    """Runs the activities of side workflows."""

    def __init__(
        self, tasks: Tasks, cache: InstanceCache, wakeups: Wakeups, executor: Executor
    ) -> None:
        self._tasks = tasks
        self._cache = cache
        self._wakeups = wakeups
        self._executor = executor

    async def run(self, task: Json) -> Json | None:
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
        instance = self._cache.find(call["workflowId"])
        is_current = instance is not None and instance.execution_id == execution_id
        if instance is not None and is_current:
            instance.add_result(scheduled.id, round(time.time() * 1000), event)
        needed = call["needed"] if failure is None else ()
        if needed and (instance is None or not is_current or not instance.has_results_of(needed)):
            # The last one wakes the instance; if it runs elsewhere, the watchdog of all does.
            return following
        await self._wakeups.wake(call["workflowId"])
        return following

    async def _is_current(self, call: Json) -> bool:
        """Whether the execution that has asked for an activity goes on."""
        instance = await self._cache.read(call["workflowId"])
        return instance is not None and instance.execution_id == call["executionId"]
