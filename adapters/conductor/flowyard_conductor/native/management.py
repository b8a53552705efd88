"""Native workflows: definitions that know nothing of us, run by workers of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import quote

from flowyard.backend import (
    BackendUnavailable,
    HistoryEvent,
    InvalidRequest,
    StartRequest,
    UnsupportedOperation,
    WorkflowState,
)
from flowyard_conductor.api.connection import Connection, Json
from flowyard_conductor.api.errors import DefinitionNotFound, Rejected
from flowyard_conductor.api.id_locks import IdLocks
from flowyard_conductor.api.payloads import fields_of
from flowyard_conductor.instances import Found, Instances, mark_for
from flowyard_conductor.native.history import translated
from flowyard_conductor.native.states import event_of, open_waits, state_of

VERSION = "version"
"""The one option that a start may give: the version of the definition, the latest without it."""
_WAITING = frozenset({"WAIT", "HUMAN"})
_OPEN = frozenset({"SCHEDULED", "IN_PROGRESS"})
_TERMINATED = "terminated through Flowyard"
# How long the server may take to show a change that it has acknowledged.
_SETTLES_SECONDS = 10.0


class Natives:
    """Starts and steers native workflows."""

    def __init__(self, instances: Instances, id_locks: IdLocks) -> None:
        self._connection: Connection = instances.connection
        self._instances = instances
        self._id_locks = id_locks
        self._known: set[str] = set()

    async def has(self, workflow: str) -> bool:
        """Whether there is a definition of that name, or was one when it was last asked for."""
        if workflow in self._known:
            return True
        try:
            definition = await self._connection.get(f"/metadata/workflow/{_quoted(workflow)}")
        except Rejected as refusal:
            if refusal.is_not_found:
                return False
            raise
        if definition:
            self._known.add(workflow)
        return bool(definition)

    async def start(self, request: StartRequest) -> str:
        """Start a definition under a locked ID, and return Conductor's own ID of the workflow."""
        if request.start_at is not None:
            raise UnsupportedOperation(
                self._connection.name,
                "a start time (start_at)",
                "Conductor starts a native workflow at once",
            )
        body: Json = {
            "name": request.workflow,
            "correlationId": request.instance_id,
            "input": fields_of(request.input, f"input of workflow '{request.workflow}'"),
            **mark_for(request.workflow),
        }
        if (version := _version(request, self._connection.name)) is not None:
            body["version"] = version
        try:
            return str(await self._connection.post("/workflow", body))
        except Rejected as refusal:
            if not refusal.is_not_found:
                raise
            self._known.discard(request.workflow)
            raise DefinitionNotFound(self._connection.where, request.workflow, version) from refusal

    async def state(self, found: Found, *, payloads: bool) -> WorkflowState:
        """Return the state as it is now."""
        # What failed, or the events that are waited for, only the tasks tell.
        tasks = found.is_active or (payloads and found.status in {"FAILED", "TIMED_OUT"})
        workflow = await self._instances.read(found, tasks=tasks)
        return state_of(workflow, payloads=payloads)

    async def raise_event(self, found: Found, name: str, data: str | None) -> bool:
        """Complete the WAIT or HUMAN task that is called like the event.

        Conductor keeps nothing for a task that is not there yet, so that is refused.
        """
        fields = fields_of(data, f"data of event '{name}'")
        # Of several that complete a task at once, the server tells each that it has.
        async with self._id_locks.hold(found.instance_id):
            return await self._complete(found, name, fields)

    async def _complete(self, found: Found, name: str, fields: Json) -> bool:
        workflow = await self._instances.read(found, tasks=True)
        for task in workflow["tasks"]:
            if task["taskType"] in _WAITING and task["status"] in _OPEN and _is_for(task, name):
                path = f"/tasks/{found.workflow_id}/{_quoted(task['referenceTaskName'])}"
                try:
                    await self._connection.post(f"{path}/COMPLETED/sync", fields)
                except Rejected as refusal:
                    # Somebody else was faster; another task of the name may have come since.
                    if refusal.is_not_found:
                        return await self._complete(found, name, fields)
                    raise
                return True
        if workflow["status"] not in {"RUNNING", "PAUSED"}:
            return False
        waiting = [repr(event_of(task)) for task in open_waits(workflow)]
        raise UnsupportedOperation(
            self._connection.name,
            "raise_event",
            f"no WAIT or HUMAN task '{name}' is open in instance '{found.instance_id}' of the "
            f"native workflow '{found.definition}' (open: {', '.join(waiting) or 'none'}), and "
            "Conductor keeps no event for later. Raise it again when that task is open",
        )

    async def terminate(self, found: Found, *, output: str | None, recursive: bool) -> bool:
        """End the workflow and, as Conductor does, its children."""
        if output is not None:
            raise UnsupportedOperation(
                self._connection.name,
                "terminate with an output",
                "Conductor takes none for a native workflow",
            )
        async with self._id_locks.hold(found.instance_id):
            workflow = await self._instances.read(found, tasks=not recursive)
            if workflow["status"] not in {"RUNNING", "PAUSED"}:
                return False
            if not recursive and any(_is_open_child(task) for task in workflow["tasks"]):
                raise UnsupportedOperation(
                    self._connection.name,
                    "terminate without the children",
                    "Conductor ends the children of a native workflow with it",
                )
            try:
                await self._connection.call(
                    "DELETE", f"/workflow/{found.workflow_id}", query={"reason": _TERMINATED}
                )
            except Rejected as refusal:
                if refusal.status == 409:
                    return False
                raise
            return True

    async def pause(self, found: Found, reason: str | None = None) -> bool:
        """Let Conductor schedule nothing more."""
        return await self._switch(found, "RUNNING", "pause", "PAUSED")

    async def resume(self, found: Found, reason: str | None = None) -> bool:
        """Let Conductor go on."""
        return await self._switch(found, "PAUSED", "resume", "RUNNING")

    async def history(self, found: Found) -> Sequence[HistoryEvent]:
        """Return the workflow's tasks as events."""
        return translated(await self._instances.read(found, tasks=True))

    async def children(self, found: Found) -> list[Found]:
        """Return the workflows that run as part of this one."""
        term = f"parentWorkflowId='{found.workflow_id}'"

        def search(at: int | None) -> str:
            return term if at is None else f"{term} AND startTime<{at + 1}"

        return [self._instances.found(run) async for run in self._instances.walk(search)]

    async def _switch(self, found: Found, before: str, verb: str, after: str) -> bool:
        async with self._id_locks.hold(found.instance_id):
            workflow = await self._instances.read(found, tasks=False)
            if workflow["status"] != before:
                return False
            try:
                await self._connection.call("PUT", f"/workflow/{found.workflow_id}/{verb}")
            except Rejected:
                # Closed: 409 to a pause, 500 to a resume.
                now = (await self._instances.read(found, tasks=False))["status"]
                if now in {"RUNNING", "PAUSED"}:
                    raise
                return False
            await self._until(found, after)
            return True

    async def _until(self, found: Found, status: str) -> None:
        """Return once the server shows the change, or the workflow has closed."""
        deadline = time.monotonic() + _SETTLES_SECONDS
        while (now := (await self._instances.read(found, tasks=False))["status"]) != status:
            if now not in {"RUNNING", "PAUSED"}:
                return
            if time.monotonic() > deadline:
                raise BackendUnavailable(
                    f"{self._connection.where}: instance '{found.instance_id}' is still {now} "
                    "although the server has accepted the change. Read its state before you try "
                    "again."
                )
            await asyncio.sleep(0.05)


def _is_for(task: Json, event: str) -> bool:
    return event_of(task).casefold() == event.casefold()


def _is_open_child(task: Json) -> bool:
    return bool(task["taskType"] == "SUB_WORKFLOW" and task["status"] in _OPEN)


def _version(request: StartRequest, component: str) -> int | None:
    unknown = sorted(set(request.options) - {VERSION})
    if unknown:
        raise InvalidRequest(
            f"component '{component}' knows no option '{unknown[0]}' of a start: "
            f"leave it out; the only option is '{VERSION}'"
        )
    version = request.options.get(VERSION)
    if version is None:
        return None
    if not version.isdecimal() or not version.isascii() or int(version) < 1:
        raise InvalidRequest(f"the option '{VERSION}' is {version!r}: use a number from 1")
    return int(version)


def _quoted(text: str) -> str:
    return quote(text, safe="")
