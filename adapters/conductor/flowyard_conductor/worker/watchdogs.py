"""Watchdogs: tasks that come round now and then, and wake an instance that has missed its news.

Whoever has news wakes the instance at once. Should it die before, the watchdog of the news does it.
"""

from __future__ import annotations

from collections.abc import Collection

from flowyard.backend import ChildCreated, ChildFailed, Clock, FailureDetails, result_for_parent
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.names import Names
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.instance import HostedInstance, parent_of
from flowyard_conductor.hosted.side_workflows import STALL
from flowyard_conductor.hosted.stalled import Stalled
from flowyard_conductor.hosted.states import outcome_of
from flowyard_conductor.hosted.turns import Turns
from flowyard_conductor.hosted.wakeups import Wakeups
from flowyard_conductor.instances import Instances

_MESSAGE_INTERVAL_SECONDS = 2.0
_LONGEST_INTERVAL_SECONDS = 60.0
_LONGEST_SLEEP_SECONDS = 3600.0


class Watchdogs:
    """Does the watchdogs that this process polls."""

    def __init__(
        self,
        instances: Instances,
        names: Names,
        tasks: Tasks,
        cache: InstanceCache,
        turns: Turns,
        inbox: Inbox,
        wakeups: Wakeups,
        stalled: Stalled,
        clock: Clock,
    ) -> None:
        self._instances = instances
        self._names = names
        self._tasks = tasks
        self._cache = cache
        self._turns = turns
        self._inbox = inbox
        self._wakeups = wakeups
        self._stalled = stalled
        self._clock = clock

    async def run(self, task: Json) -> None:
        """Look after an instance, and come back later if need be."""
        workflow_id = task["inputData"]["workflowId"]
        async with self._tasks.hold(task):
            instance = await self._cache.read(workflow_id)
            if task["workflowType"] == self._names.message:
                seconds = await self._of_message(task, instance)
            else:
                seconds = await self._of_side(task, instance)
        if seconds is None:
            await self._tasks.complete(task, {})
        else:
            await self._tasks.put_off(task, seconds)

    async def _of_message(self, task: Json, instance: HostedInstance | None) -> float | None:
        if instance is None:
            # Nobody will ever take it.
            await self._inbox.discard(task["workflowInstanceId"])
            return None
        if self._may_go_on(instance) or await self._turns.is_ended(instance):
            await self._wakeups.end_any_wait(instance.workflow_id)
        return _MESSAGE_INTERVAL_SECONDS

    def _may_go_on(self, instance: HostedInstance) -> bool:
        """Whether a turn can be of use, as far as this process knows."""
        return instance.stalled is None or self._stalled.is_worth_a_try(instance.workflow_id)

    async def _of_side(self, task: Json, instance: HostedInstance | None) -> float | None:
        side_id = task["workflowInstanceId"]
        if instance is None:
            # Its activities go on to their end, as on any engine; nobody waits for them.
            return None
        side = await self._instances.connection.get(f"/workflow/{side_id}", includeTasks=False)
        given = side["input"]
        if STALL in given["actionIds"]:
            if instance.stalled is None:
                return None
            if self._may_go_on(instance):
                await self._wakeups.end_any_wait(instance.workflow_id)
            return _MESSAGE_INTERVAL_SECONDS
        started = instance.journal.started
        if started is None or started.execution_id != given["executionId"]:
            waits = started is None and instance.started.start_at is not None
            if waits and instance.started.execution_id == given["executionId"]:
                return await self._of_start(instance)
            return None
        journal = instance.journal
        open_ids = [action_id for action_id in given["actionIds"] if journal.is_open(action_id)]
        if not open_ids:
            return None
        if not self._may_go_on(instance):
            return _MESSAGE_INTERVAL_SECONDS
        await self._post_lost_children(instance, open_ids)
        now = self._clock.now()
        if journal.due_timers(now) or await self._turns.has_results(instance):
            await self._wakeups.end_any_wait(instance.workflow_id)
            return _MESSAGE_INTERVAL_SECONDS
        due = journal.next_timer()
        sleep = _LONGEST_SLEEP_SECONDS if due is None else max((due - now) / 1e6, 0.5)
        if any(action_id not in journal.timers for action_id in open_ids):
            polled = float(task.get("pollCount") or 1)
            sleep = min(sleep, _LONGEST_INTERVAL_SECONDS, 2.0 * polled)
        return min(sleep, _LONGEST_SLEEP_SECONDS)

    async def _of_start(self, instance: HostedInstance) -> float:
        left = ((instance.started.start_at or 0) - self._clock.now()) / 1e6
        if left <= 0:
            await self._wakeups.end_any_wait(instance.workflow_id)
            return _MESSAGE_INTERVAL_SECONDS
        return min(max(left, 0.5), _LONGEST_SLEEP_SECONDS)

    async def _post_lost_children(self, instance: HostedInstance, ids: Collection[int]) -> None:
        """Tell of children that were ended behind our back, or whose own step was lost."""
        children = [value for id_, value in instance.journal.children.items() if id_ in ids]
        for child in children:
            runs = await self._instances.runs(child.instance_id)
            if any(run.is_active for run in runs):
                continue
            for run in runs:
                if run.workflow is None:
                    continue
                workflow = await self._instances.read(run, tasks=False)
                parent_id, link = parent_of(workflow)
                if (
                    parent_id == instance.workflow_id
                    and link is not None
                    and link.task_id == child.id
                ):
                    result = result_for_parent(
                        link, run.instance_id, outcome_of(workflow).completion
                    )
                    await self._inbox.post(
                        instance.workflow_id,
                        result,
                        key=run.workflow_id,
                        execution_id=link.execution_id,
                    )
                    break
            else:
                await self._post_removed(instance, child)

    async def _post_removed(self, instance: HostedInstance, child: ChildCreated) -> None:
        """Tell of a child that is not there any more, unless its result is on its way."""
        # Who removes a child tells its parent before, so in this order.
        now = await self._cache.read(instance.workflow_id)
        if now is None or now.journal.started is None or child.id not in now.journal.children:
            return
        messages = await self._inbox.messages(instance.workflow_id)
        if any(getattr(message.event, "task_id", None) == child.id for message in messages):
            return
        failure = FailureDetails(
            "WorkflowRemoved", f"child workflow '{child.instance_id}' was removed from Conductor"
        )
        await self._inbox.post(
            instance.workflow_id,
            ChildFailed(child.id, failure),
            key=f"{instance.workflow_id}:removed:{child.id}",
            execution_id=now.journal.started.execution_id,
        )
