"""Starts of hosted instances, with their first turn if the code is here."""

from __future__ import annotations

from flowyard.backend import ExecutionStarted, InvalidRequest, encode_events
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.tasks import Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.definitions import FIRST, Definitions
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.records import LARGEST_INPUT, packed, too_large
from flowyard_conductor.hosted.turns import Turns
from flowyard_conductor.instances import Instances


class InstanceStarts:
    """Starts the workflows of instances. `turns` are those of the app in this process, if any."""

    def __init__(
        self,
        instances: Instances,
        tasks: Tasks,
        definitions: Definitions,
        cache: InstanceCache,
        turns: Turns | None,
    ) -> None:
        self._connection, self._names = instances.connection, instances.names
        self._tasks = tasks
        self._definitions = definitions
        self._cache = cache
        self._turns = turns

    async def start(
        self, instance_id: str, started: ExecutionStarted, parent_workflow_id: str | None = None
    ) -> str:
        """Start an instance under an ID that is locked, and return the ID of its workflow."""
        given: Json = {"started": packed(encode_events([started]).decode())}
        if parent_workflow_id is not None:
            given["parentWorkflowId"] = parent_workflow_id
        instance = HostedInstance("", instance_id, given)
        first = self._turns.first(instance, started) if self._turns is not None else None
        if first is not None:
            given[FIRST] = first.to_output()
        if (excess := too_large(given, LARGEST_INPUT)) is not None:
            self._cache.drop(instance)
            raise InvalidRequest(f"instance '{instance_id}' cannot be started: {excess.message}")
        body: Json = {
            "name": self._names.definition(started.workflow),
            "version": 1,
            "workflowDef": self._definitions.instance(started.workflow),
            "correlationId": instance_id,
            "input": given,
        }
        if first is None:
            workflow_id = str(await self._connection.post("/workflow", body))
        else:
            async with self._cache.starting(instance):
                try:
                    workflow_id = str(await self._connection.post("/workflow", body))
                except BaseException:
                    self._cache.drop(instance)
                    raise
                instance.start(workflow_id, first)
                self._cache.add(instance)
        is_activity = first is not None and first.next == "activity"
        self._tasks.expect(self._names.activity if is_activity else self._names.step)
        return workflow_id
