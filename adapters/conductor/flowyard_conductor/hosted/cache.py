"""The hosted instances that this process has in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowyard.backend import Executor
from flowyard_conductor.api.connection import Connection, Json
from flowyard_conductor.api.errors import Rejected
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.instances import ACTIVE

_MOST = 2000


class InstanceCache:
    """Keeps instances, so that a turn costs its news only."""

    def __init__(self, connection: Connection, executor: Executor | None) -> None:
        self._connection = connection
        self._forget = _nothing if executor is None else executor.forget
        self._instances: OrderedDict[str, HostedInstance] = OrderedDict()
        self._starting: dict[str, asyncio.Event] = {}
        self._by_instance: dict[str, HostedInstance] = {}

    def find(self, workflow_id: str) -> HostedInstance | None:
        """Return an instance if it is here."""
        return self._instances.get(workflow_id)

    def of_instance(self, instance_id: str) -> HostedInstance | None:
        """Return the latest instance of an ID if it is here."""
        return self._by_instance.get(instance_id)

    def add(self, instance: HostedInstance) -> None:
        """Keep an instance; of those that nothing happens to, the one used least makes room."""
        self._instances[instance.workflow_id] = instance
        self._instances.move_to_end(instance.workflow_id)
        self._by_instance[instance.instance_id] = instance
        for other in list(self._instances.values()) if len(self._instances) > _MOST else ():
            if other is not instance and not other.lock.locked() and other.is_settled.is_set():
                self.drop(other)
                return

    def drop(self, instance: HostedInstance) -> None:
        """Forget what is known of an instance: it may be wrong, or over."""
        if self._instances.get(instance.workflow_id) is instance:
            del self._instances[instance.workflow_id]
        if self._by_instance.get(instance.instance_id) in (None, instance):
            self._forget(instance.instance_id)
        if self._by_instance.get(instance.instance_id) is instance:
            del self._by_instance[instance.instance_id]
        instance.close()

    @asynccontextmanager
    async def starting(self, instance: HostedInstance) -> AsyncIterator[None]:
        """Let the first step of an instance wait until its start has been answered."""
        started = asyncio.Event()
        self._starting[instance.instance_id] = started
        try:
            yield
        finally:
            started.set()
            del self._starting[instance.instance_id]

    async def at(self, task: Json) -> HostedInstance | None:
        """Return the instance whose step this is; None if it is over."""
        if (started := self._starting.get(task.get("correlationId", ""))) is not None:
            # It may be of an older instance, which is not known here either then.
            await started.wait()
        instance = self._instances.get(task["workflowInstanceId"])
        if instance is not None:
            # The server hands the next step out before it has answered to the one before.
            await instance.is_settled.wait()
            if instance.is_at(task):
                self.add(instance)
                return instance
            self.drop(instance)
        read = await self.read(task["workflowInstanceId"])
        if read is not None:
            # What the executor has of it is of another past.
            self._forget(read.instance_id)
            self.add(read)
        return read

    async def read(self, workflow_id: str) -> HostedInstance | None:
        """Return an instance as the server has it; None if it is over."""
        try:
            workflow: Json = await self._connection.get(
                f"/workflow/{workflow_id}", includeTasks=True
            )
        except Rejected as refusal:
            if refusal.is_not_found:
                return None
            raise
        return HostedInstance.of(workflow) if workflow["status"] in ACTIVE else None


def _nothing(_instance_id: str) -> None:
    """Stand for an executor where there is none, and so no instance in memory."""
