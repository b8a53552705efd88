"""The instances of a server: which workflow of Conductor's an instance ID stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

from flowyard.errors import InstanceNotFound
from flowyard_conductor.connection import Connection
from flowyard_conductor.faults import Rejected
from flowyard_conductor.names import Names

Json: TypeAlias = dict[str, Any]
"""What the server says, as it says it."""

ACTIVE = frozenset({"RUNNING", "PAUSED"})
# How many runs of one ID are looked at.
_RUNS = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A workflow of Conductor's that an instance ID stands for."""

    instance_id: str
    workflow_id: str
    definition: str
    status: str
    workflow: str | None
    """The workflow of the app that it hosts; None if it is somebody else's definition."""

    @property
    def is_active(self) -> bool:
        """True while it can still change."""
        return self.status in ACTIVE


class Instances:
    """Finds instances: by correlation ID, and others' workflows without one by their own ID."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self.connection = connection
        self.names = names

    async def find(self, instance_id: str) -> Found:
        """Return the active workflow of that ID, or else the latest; `InstanceNotFound`."""
        runs = await self.runs(instance_id)
        if not runs:
            raise InstanceNotFound(instance_id)
        return next((one for one in runs if one.is_active), runs[0])

    async def runs(self, instance_id: str) -> Sequence[Found]:
        """Return all workflows of that ID, the latest first."""
        if not _may_be_asked_for(instance_id):
            return []
        found = await self.search(f"correlationId='{instance_id}'", size=_RUNS)
        # A child of a native workflow has the correlation ID of its parent.
        runs = [one for one in found if not one.get("parentWorkflowId")]
        if not runs and _is_uuid(instance_id):
            runs = await self._by_workflow_id(instance_id)
        return [self.found(one) for one in runs if not self.names.is_own(one["workflowType"])]

    async def search(
        self, query: str, *, start: int = 0, size: int = 100, newest_first: bool = True
    ) -> list[Json]:
        """Return summaries of workflows."""
        answer = await self.connection.get(
            "/workflow/search",
            query=query,
            start=start,
            size=size,
            sort=f"startTime:{'DESC' if newest_first else 'ASC'}",
        )
        results: list[Json] = answer["results"]
        return results

    async def read(self, found: Found, *, tasks: bool) -> Json:
        """Return the workflow itself; raises `InstanceNotFound` if it was removed meanwhile."""
        try:
            workflow: Json = await self.connection.get(
                f"/workflow/{found.workflow_id}", includeTasks=tasks
            )
        except Rejected as refusal:
            if refusal.is_not_found:
                raise InstanceNotFound(found.instance_id) from refusal
            raise
        return workflow

    def found(self, summary: Json) -> Found:
        """Return what a summary is of."""
        definition = summary["workflowType"]
        return Found(
            instance_id_of(summary),
            summary["workflowId"],
            definition,
            summary["status"],
            self.names.workflow(definition),
        )

    async def _by_workflow_id(self, workflow_id: str) -> list[Json]:
        try:
            workflow: Json = await self.connection.get(
                f"/workflow/{workflow_id}", includeTasks=False
            )
        except Rejected as refusal:
            if refusal.is_not_found:
                return []
            raise
        definition = workflow["workflowName"]
        if instance_id_of(workflow) != workflow_id or self.names.workflow(definition) is not None:
            return []
        return [{**workflow, "workflowType": definition}]


def instance_id_of(workflow: Json) -> str:
    """Return the instance ID of a workflow, as it is or in a summary."""
    correlation = workflow.get("correlationId")
    if workflow.get("parentWorkflowId") or not correlation:
        return str(workflow["workflowId"])
    return str(correlation)


def to_time(milliseconds: float) -> datetime:
    """Return the aware UTC time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _may_be_asked_for(instance_id: str) -> bool:
    # A quote would end the text in the query, and a comma would make two of it.
    return bool(instance_id) and not set(instance_id) & set("'\"\\,()\n\x00")


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
