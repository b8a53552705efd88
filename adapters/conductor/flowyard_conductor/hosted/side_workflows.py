"""Side workflows: activities that run beside an instance, and the watchdog over them."""

from __future__ import annotations

from collections.abc import Sequence

from flowyard.backend import HistoryEvent, TaskScheduled, decode_events, encode_events
from flowyard_conductor.api.connection import Connection, Json
from flowyard_conductor.api.errors import Rejected
from flowyard_conductor.api.names import Names
from flowyard_conductor.hosted.definitions import ACTIVITY, WATCHDOG, Definitions
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.records import packed, unpacked
from flowyard_conductor.instances import ACTIVE

STALL = 0
"""In the place of an action's ID: the side workflow is for an instance that is STALLED."""
START = -1
"""The same for an instance whose start time has not come."""
_OVER = "its instance no longer needs it"


class SideWorkflows:
    """Starts, reads and ends side workflows."""

    def __init__(self, connection: Connection, names: Names, definitions: Definitions) -> None:
        self._connection = connection
        self._names = names
        self._definitions = definitions

    async def start(
        self,
        instance: HostedInstance,
        execution_id: str,
        activities: Sequence[TaskScheduled],
        others: Sequence[int],
        watchdog_delay: int,
        needed: Sequence[int],
    ) -> str:
        """Start activities beside an instance, and a watchdog over these and other actions.

        `needed` are those that all have to end before the instance can go on, if that is known.
        """
        ids = [activity.id for activity in activities]
        calls = {
            f"{ACTIVITY}{activity.id}": {
                "workflowId": instance.workflow_id,
                "instanceId": instance.instance_id,
                "executionId": execution_id,
                "activity": activity.name,
                "scheduled": packed(encode_events([activity]).decode()),
                # The last of these is followed by a watchdog, which wakes an instance elsewhere.
                "needed": ids if len(ids) > 1 and set(ids) == set(needed) else [],
            }
            for activity in activities
        }
        body: Json = {
            "name": self._names.side_workflow,
            "version": 1,
            "workflowDef": self._definitions.side_workflow(ids, watchdog_delay),
            "correlationId": _correlation(instance.workflow_id),
            "input": {
                "workflowId": instance.workflow_id,
                "executionId": execution_id,
                "actionIds": [*ids, *others],
                "calls": calls,
            },
        }
        return str(await self._connection.post("/workflow", body))

    async def started(self, workflow_id: str, execution_id: str) -> dict[str, list[int]]:
        """Return the side workflows of an execution, and what each is for."""
        return {
            workflow["workflowId"]: list(workflow["input"]["actionIds"])
            for workflow in await self.workflows(workflow_id)
            if workflow["input"]["executionId"] == execution_id
        }

    async def workflows(self, workflow_id: str) -> list[Json]:
        """Return all side workflows of an instance."""
        found: list[Json] = await self._connection.get(
            f"/workflow/{self._names.side_workflow}/correlated/{_correlation(workflow_id)}",
            includeClosed=True,
        )
        return found

    async def results(self, side_id: str) -> dict[int, tuple[int, HistoryEvent]]:
        """Return what has come out of a side workflow so far, with the times."""
        try:
            side: Json = await self._connection.get(f"/workflow/{side_id}", includeTasks=True)
        except Rejected as refusal:
            if refusal.is_not_found:
                return {}
            raise
        return {
            int(task["referenceTaskName"].removeprefix(ACTIVITY)): (
                task["endTime"],
                result_of(task),
            )
            for task in side["tasks"]
            if "event" in (task.get("outputData") or {})
            and task["taskDefName"] == self._names.activity
            and task["status"] not in {"SCHEDULED", "IN_PROGRESS"}
        }

    async def end(self, side_id: str) -> None:
        """End a side workflow whose instance needs it no more."""
        try:
            side: Json = await self._connection.get(f"/workflow/{side_id}", includeTasks=False)
            if side["status"] in ACTIVE:
                await self._connection.call(
                    "DELETE", f"/workflow/{side_id}", query={"reason": _OVER}
                )
        except Rejected as refusal:
            # It has ended, or was removed, while we looked.
            if not (refusal.is_not_found or refusal.status == 409):
                raise

    async def end_watchdog(self, side_id: str) -> None:
        """Complete the watchdog of a side workflow; activities that still run go on."""
        await self._connection.post(f"/tasks/{side_id}/{WATCHDOG}/COMPLETED", {})


def result_of(task: Json) -> HistoryEvent:
    """Return the event that an activity has put out."""
    (event,) = decode_events((unpacked(task["outputData"]["event"]) or "").encode())
    return event


def scheduled_of(call: Json) -> TaskScheduled:
    """Return the activity that a side task is to run."""
    (scheduled,) = decode_events((unpacked(call["scheduled"]) or "").encode())
    assert isinstance(scheduled, TaskScheduled)  # noqa: S101
    return scheduled


def _correlation(workflow_id: str) -> str:
    return f"sideWorkflow~{workflow_id}"
