"""Watches: tasks that come round now and then, and wake an instance that has missed its news.

Whoever has news wakes the instance at once. Should it die before, the watch of the news does it.
"""

from __future__ import annotations

from flowyard.clock import Clock
from flowyard.errors import InstanceNotFound
from flowyard.history import ChildCreated, ExecutionCompleted
from flowyard.journal import result_of
from flowyard.models import FailureDetails, WorkflowStatus
from flowyard_conductor.instances import Instances, Json
from flowyard_conductor.live import Live
from flowyard_conductor.mailbox import Mailbox
from flowyard_conductor.names import Names
from flowyard_conductor.records import Outcome
from flowyard_conductor.roster import Roster
from flowyard_conductor.sides import STALL, Sides
from flowyard_conductor.stalls import Stalls
from flowyard_conductor.states import STATUSES
from flowyard_conductor.tasks import Tasks
from flowyard_conductor.turns import Turns
from flowyard_conductor.waking import Waking

_MAIL_INTERVAL = 2.0
_LONGEST_INTERVAL = 60.0
_LONGEST_SLEEP = 3600.0


class Watches:
    """Does the watches that this process polls."""

    def __init__(
        self,
        instances: Instances,
        names: Names,
        tasks: Tasks,
        roster: Roster,
        turns: Turns,
        sides: Sides,
        mailbox: Mailbox,
        waking: Waking,
        stalls: Stalls,
        clock: Clock,
    ) -> None:
        self._instances = instances
        self._names = names
        self._tasks = tasks
        self._roster = roster
        self._turns = turns
        self._sides = sides
        self._mailbox = mailbox
        self._waking = waking
        self._stalls = stalls
        self._clock = clock

    async def run(self, task: Json) -> None:
        """Look after an instance, and come back later if need be."""
        workflow_id = task["inputData"]["workflow"]
        async with self._tasks.hold(task):
            live = await self._roster.read(workflow_id)
            if task["workflowType"] == self._names.mail:
                seconds = await self._of_mail(task, live)
            else:
                seconds = await self._of_side(task, live)
        if seconds is None:
            await self._tasks.complete(task, {})
        else:
            await self._tasks.put_off(task, seconds)

    async def _of_mail(self, task: Json, live: Live | None) -> float | None:
        if live is None:
            # Nobody will ever take it.
            await self._mailbox.discard(task["workflowInstanceId"])
            return None
        if self._may_go_on(live) or await self._turns.is_ended(live):
            await self._wake(live)
        return _MAIL_INTERVAL

    def _may_go_on(self, live: Live) -> bool:
        """Whether a turn can be of use, as far as this process knows."""
        return live.stalled is None or self._stalls.is_worth_a_try(live.workflow_id)

    async def _of_side(self, task: Json, live: Live | None) -> float | None:
        side_id = task["workflowInstanceId"]
        if live is None:
            # Its activities go on to their end, as on any engine; nobody waits for them.
            return None
        side = await self._instances.connection.get(f"/workflow/{side_id}", includeTasks=False)
        given = side["input"]
        if STALL in given["ids"]:
            if live.stalled is None:
                return None
            if self._may_go_on(live):
                await self._wake(live)
            return _MAIL_INTERVAL
        started = live.journal.started
        if started is None or started.execution_id != given["execution"]:
            waits = started is None and live.started.start_at is not None
            if waits and live.started.execution_id == given["execution"]:
                return await self._of_start(live)
            return None
        journal = live.journal
        open_ids = [
            one
            for one in given["ids"]
            if one in journal.tasks or one in journal.timers or one in journal.children
        ]
        if not open_ids:
            return None
        if not self._may_go_on(live):
            return _MAIL_INTERVAL
        await self._post_lost_children(live)
        now = self._clock.now()
        if journal.due_timers(now) or await self._turns.has_results(live):
            await self._wake(live)
            return _MAIL_INTERVAL
        due = journal.next_timer()
        sleep = _LONGEST_SLEEP if due is None else max((due - now) / 1e6, 0.5)
        if any(one not in journal.timers for one in open_ids):
            polled = float(task.get("pollCount") or 1)
            sleep = min(sleep, _LONGEST_INTERVAL, 2.0 * polled)
        return min(sleep, _LONGEST_SLEEP)

    async def _of_start(self, live: Live) -> float:
        left = ((live.started.start_at or 0) - self._clock.now()) / 1e6
        if left <= 0:
            await self._wake(live)
            return _MAIL_INTERVAL
        return min(max(left, 0.5), _LONGEST_SLEEP)

    async def _wake(self, live: Live) -> None:
        for step in await self._tasks.open(live.workflow_id):
            if step["taskType"] == self._names.gate:
                await self._tasks.complete_by_reference(live.workflow_id, step["referenceTaskName"])
                self._waking.nudged()

    async def _post_lost_children(self, live: Live) -> None:
        """Tell of children that were ended behind our back, or whose own step was lost."""
        for child in live.journal.children.values():
            try:
                found = await self._instances.find(child.instance_id)
            except InstanceNotFound:
                continue
            if found.is_active:
                continue
            workflow = await self._instances.read(found, tasks=False)
            if workflow["input"].get("parentWorkflow") != live.workflow_id:
                continue
            outcome = (workflow.get("output") or {}).get("outcome")
            completion = _completion(workflow, outcome)
            link = Live(found.workflow_id, found.instance_id, workflow["input"], 0).started.parent
            if link is None or link.task_id != child.id:
                continue
            await self._mailbox.post(
                live.workflow_id,
                result_of(ChildCreated(child.id, "", found.instance_id, None), completion),
                key=found.workflow_id,
                execution_id=link.execution_id,
            )


def _completion(workflow: Json, outcome: Json | None) -> ExecutionCompleted:
    if outcome is not None:
        ended = Outcome.of(outcome)
        return ExecutionCompleted(ended.status, ended.result, ended.failure)
    status = STATUSES[workflow["status"]]
    if status is WorkflowStatus.TERMINATED:
        return ExecutionCompleted(status)
    reason = workflow.get("reasonForIncompletion") or "Conductor gives no reason"
    return ExecutionCompleted(status, failure=FailureDetails("WorkflowFailed", reason))
