"""The instances of a server: which workflow of Conductor's an instance ID stands for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from flowyard.backend import InstanceNotFound, InvalidRequest, new_uuid
from flowyard_conductor.api.connection import Connection, Json
from flowyard_conductor.api.errors import Rejected
from flowyard_conductor.api.names import Names

ACTIVE = frozenset({"RUNNING", "PAUSED"})
_MARK = "flowyard"
_PAGE = 200
_MOST_TOLD = 5
# What ends a text, a line or a term of a query, and what LIKE takes for something else.
_UNWRITABLE = re.compile(r"""["'(),\\*\x00-\x1f\x7f\x85\u2028\u2029]| (?=AND )|(?<= AND) """)


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
    """Finds instances: by the ID that they were started under, and by Conductor's own ID."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self.connection = connection
        self.names = names

    async def find(self, instance_id: str) -> Found:
        """Return the active workflow of that ID, or else the latest.

        Raises `InstanceNotFound`, and `InvalidRequest` for a correlation ID of several workflows
        that were not started through Flowyard.
        """
        runs = await self.runs(instance_id)
        if not runs:
            raise InstanceNotFound(instance_id)
        return next((run for run in runs if run.is_active), runs[0])

    async def runs(self, instance_id: str) -> Sequence[Found]:
        """Return all workflows of that ID, the latest first; raises as `find`."""
        named = await self._named(instance_id)
        if runs := self._started_here(named):
            return runs
        if workflow := await self._by_workflow_id(instance_id):
            return [workflow]
        if len(named) > 1:
            ids = ", ".join(summary["workflowId"] for summary in named[:_MOST_TOLD])
            more = f" and {len(named) - _MOST_TOLD} more" if len(named) > _MOST_TOLD else ""
            raise InvalidRequest(
                f"'{instance_id}' is the correlation ID of {len(named)} workflows, none of which "
                f"was started through Flowyard. Use Conductor's own ID of one of them: {ids}{more}"
            )
        return [self.found(summary) for summary in named]

    async def holders(self, instance_id: str) -> Sequence[Found]:
        """Return what a start under that ID has to reckon with, the latest first."""
        named = await self._named(instance_id)
        if runs := self._started_here(named):
            return runs
        if workflow := await self._by_workflow_id(instance_id):
            return [workflow]
        return [self.found(summary) for summary in named]

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

    async def walk(
        self,
        search: Callable[[int | None], str],
        at: int | None = None,
        seen: frozenset[str] = frozenset(),
    ) -> AsyncIterator[Json]:
        """Return all summaries that a search finds, the newest first.

        `search` returns the query for what began at a time, in milliseconds, or before; `seen` are
        those of the time `at` that are left out.
        """
        known = set(seen)
        while True:
            # By time and not by number: what starts meanwhile moves no window.
            found = await self.search(search(at), size=_PAGE)
            news = [summary for summary in found if summary["workflowId"] not in known]
            for summary in news:
                yield summary
            if len(found) < _PAGE or not news:
                return
            last, first = found[-1]["startTime"], found[0]["startTime"]
            at = milliseconds(last)
            known = {run["workflowId"] for run in found if run["startTime"] == last} | (
                known if first == last else set()
            )

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

    async def is_there(self, workflow_id: str) -> bool:
        """Whether the server has a workflow of this ID."""
        try:
            await self.connection.get(f"/workflow/{workflow_id}", includeTasks=False)
        except Rejected as refusal:
            if refusal.is_not_found:
                return False
            raise
        return True

    def found(self, summary: Json) -> Found:
        """Return what a summary is of."""
        definition = summary["workflowType"]
        return Found(
            self.instance_id_of(summary),
            summary["workflowId"],
            definition,
            summary["status"],
            self.names.workflow(definition),
        )

    def instance_id_of(self, summary: Json) -> str:
        """Return the ID that a workflow was started under through Flowyard, or else its own.

        A correlation ID is no ID: several workflows may have the same.
        """
        if self.names.workflow(summary["workflowType"]) is not None:
            return str(summary["correlationId"])
        return native_id_of(summary)

    async def _named(self, instance_id: str) -> list[Json]:
        """Return the workflows of a correlation ID that run by themselves, the latest first."""
        if not instance_id:
            return []
        term = f"correlationId='{_pattern(instance_id)}'"

        def search(at: int | None) -> str:
            return term if at is None else f"{term} AND startTime<{at + 1}"

        return [
            summary
            async for summary in self.walk(search)
            # The server takes some characters for others.
            if summary.get("correlationId") == instance_id
            # A child of a native workflow has the correlation ID of its parent.
            and not summary.get("parentWorkflowId")
            and not self.names.is_own(summary["workflowType"])
        ]

    def _started_here(self, named: Sequence[Json]) -> list[Found]:
        """Return those of a correlation ID that were started through Flowyard."""
        first: dict[str, str] = {}
        for summary in reversed(named):
            if (mark := mark_of(summary)) is not None:
                first.setdefault(mark, summary["workflowId"])
        return [
            self.found(summary)
            for summary in named
            if self.names.workflow(summary["workflowType"]) is not None
            # What a workflow starts has its mark too, but comes later.
            or first.get(mark_of(summary) or "") == summary["workflowId"]
        ]

    async def _by_workflow_id(self, workflow_id: str) -> Found | None:
        if not _is_uuid(workflow_id):
            return None
        try:
            workflow: Json = await self.connection.get(
                f"/workflow/{workflow_id}", includeTasks=False
            )
        except Rejected as refusal:
            if refusal.is_not_found:
                return None
            raise
        if self.names.is_own(workflow["workflowName"]):
            return None
        return self.found({**workflow, "workflowType": workflow["workflowName"]})


def native_id_of(workflow: Json) -> str:
    """Return the instance ID of a native workflow, as it is or in a summary."""
    correlation = workflow.get("correlationId")
    if correlation and not workflow.get("parentWorkflowId") and mark_of(workflow) is not None:
        return str(correlation)
    return str(workflow["workflowId"])


def mark_for(definition: str) -> Json:
    """Return what marks a native workflow as started through Flowyard, as part of its start.

    Conductor keeps no field of ours, but domains for names of tasks, and there is no such task.
    The workflow that compensates a failed one, and others that it starts, get the same.
    """
    return {"taskToDomain": {_MARK: f"{new_uuid().hex} {definition}"}}


def mark_of(workflow: Json) -> str | None:
    """Return the mark of a native workflow, as it is or in a summary, if it is its own."""
    mark = (workflow.get("taskToDomain") or {}).get(_MARK)
    name = workflow.get("workflowType") or workflow.get("workflowName")
    return mark if mark is not None and mark.partition(" ")[2] == name else None


def milliseconds(text: str) -> int:
    """Return a time of a summary."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def to_time(milliseconds: float) -> datetime:
    """Return the aware UTC time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _pattern(text: str) -> str:
    """Return a text of a caller's as a query may have it.

    A query has no way to write some characters, but `*`, which stands for anything.
    """
    return _UNWRITABLE.sub("*", text)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
