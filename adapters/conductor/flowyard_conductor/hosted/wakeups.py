"""Waking: news for an instance is durable; now a turn has to look at it."""

from __future__ import annotations

import asyncio
import time

from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.names import Names
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.instance import STEP, HostedInstance
from flowyard_conductor.hosted.loop_condition import output_of

# How long a turn of another process is waited for; then the watchdog of the news does it.
_PATIENCE_SECONDS = 3.0
# The turn that follows an activity looks for messages if the activity took longer than that.
LOOKS_AFTER_SECONDS = 0.25


class Wakeups:
    """Ends the wait that an instance is in."""

    def __init__(self, tasks: Tasks, names: Names, cache: InstanceCache) -> None:
        self._tasks = tasks
        self._names = names
        self._cache = cache

    async def end_wait(self, instance: HostedInstance) -> bool:
        """End the wait in which this process has left an instance; False if it is not in it."""
        return instance.is_parked and await self._complete(
            instance.workflow_id, instance.iteration + 1
        )

    async def end_any_wait(self, workflow_id: str) -> None:
        """End the wait that an instance is in, whoever has left it there."""
        for step in await self._tasks.open(workflow_id):
            if step["taskType"] == self._names.wait:
                await self._complete(workflow_id, step["iteration"])

    async def wake(self, workflow_id: str, *, ends: bool = False, pauses: bool = False) -> None:
        """Make sure that a turn will see what is durable now.

        An instance that is to end does not wait for the activity that it runs. One that is paused
        does, but the turn after that must know.
        """
        instance = self._cache.find(workflow_id)
        if instance is not None:
            instance.arrived(messages=True)
            if await self.end_wait(instance):
                return
        deadline = time.monotonic() + _PATIENCE_SECONDS
        delay, seen = 0.02, ""
        while time.monotonic() < deadline:
            step = self._step(await self._tasks.open(workflow_id))
            if step is None:
                return
            is_wait = step["taskType"] == self._names.wait
            is_taken = step["status"] == "IN_PROGRESS"
            is_activity = is_taken and await self._is_activity(step)
            if is_wait or (ends and is_activity):
                if await self._complete(workflow_id, step["iteration"]):
                    return
            elif is_activity:
                if not pauses or self._is_here(step, instance) or seen == step["taskId"]:
                    return
                seen, delay = step["taskId"], LOOKS_AFTER_SECONDS + 0.1
            elif not is_taken or (self._is_here(step, instance) and not pauses):
                # A turn that is still to be taken looks, and so does one of this process; but a
                # worker may have it already, whose code shall not run after the pause.
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, 0.3)

    async def _complete(self, workflow_id: str, number: int) -> bool:
        """End a step as one that tells nothing; False if it is not open (any more)."""
        reference = f"{STEP}{number}"
        if not await self._tasks.complete_by_reference(workflow_id, reference, output_of(number)):
            return False
        self._tasks.expect(self._names.step)
        return True

    async def _is_activity(self, step: Json) -> bool:
        """Whether a step that somebody does is an activity: not every one has its type."""
        if step["taskType"] == self._names.activity:
            return True
        instance = await self._cache.read(step["workflowInstanceId"])
        return instance is not None and instance.runs_activity

    def _is_here(self, step: Json, instance: HostedInstance | None) -> bool:
        return instance is not None and step["taskId"] in self._tasks.held

    def _step(self, tasks: list[Json]) -> Json | None:
        steps = [task for task in tasks if task["referenceTaskName"].startswith(STEP)]
        return max(steps, key=lambda task: int(task["iteration"]), default=None)
