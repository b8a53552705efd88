"""The hosted instances that this process has in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowyard.backend import Executor
from flowyard_conductor.connection import Connection
from flowyard_conductor.faults import Rejected
from flowyard_conductor.instances import ACTIVE, Json
from flowyard_conductor.live import Live

_MOST = 2000


class Roster:
    """Keeps instances, so that a turn costs its news only."""

    def __init__(self, connection: Connection, executor: Executor) -> None:
        self._connection = connection
        self._executor = executor
        self._lives: OrderedDict[str, Live] = OrderedDict()
        self._starting: dict[str, asyncio.Event] = {}
        self._by_instance: dict[str, Live] = {}

    def find(self, workflow_id: str) -> Live | None:
        """Return an instance if it is here."""
        return self._lives.get(workflow_id)

    def of_instance(self, instance_id: str) -> Live | None:
        """Return the latest instance of an ID if it is here."""
        return self._by_instance.get(instance_id)

    def add(self, live: Live) -> None:
        """Keep an instance; of those that nothing happens to, the one used least makes room."""
        self._lives[live.workflow_id] = live
        self._lives.move_to_end(live.workflow_id)
        self._by_instance[live.instance_id] = live
        for one in list(self._lives.values()) if len(self._lives) > _MOST else ():
            if one is not live and not one.lock.locked() and one.is_settled.is_set():
                self.drop(one)
                return

    def drop(self, live: Live) -> None:
        """Forget what is known of an instance: it may be wrong, or over."""
        if self._lives.get(live.workflow_id) is live:
            del self._lives[live.workflow_id]
        if self._by_instance.get(live.instance_id) in (None, live):
            self._executor.forget(live.instance_id)
        if self._by_instance.get(live.instance_id) is live:
            del self._by_instance[live.instance_id]
        if live.alarm is not None:
            live.alarm.cancel()
            live.alarm = None
        live.closed.set()

    @asynccontextmanager
    async def starting(self, live: Live) -> AsyncIterator[None]:
        """Let the first step of an instance wait until its start has been answered."""
        started = asyncio.Event()
        self._starting[live.instance_id] = started
        try:
            yield
        finally:
            started.set()
            del self._starting[live.instance_id]

    async def at(self, task: Json) -> Live | None:
        """Return the instance whose step this is; None if it is over."""
        if (started := self._starting.get(task.get("correlationId", ""))) is not None:
            # It may be of an older instance, which is not known here either then.
            await started.wait()
        live = self._lives.get(task["workflowInstanceId"])
        if live is not None:
            # The server hands the next step out before it has answered to the one before.
            await live.is_settled.wait()
            if live.is_at(task):
                self.add(live)
                return live
            self.drop(live)
        read = await self.read(task["workflowInstanceId"])
        if read is not None:
            # What the executor has of it is of another past.
            self._executor.forget(read.instance_id)
            self.add(read)
        return read

    async def read(self, workflow_id: str) -> Live | None:
        """Return an instance as the server has it; None if it is over."""
        return await read_live(self._connection, workflow_id)


async def read_live(connection: Connection, workflow_id: str) -> Live | None:
    """Rebuild an instance from what the server has; None if it is over."""
    try:
        workflow: Json = await connection.get(f"/workflow/{workflow_id}", includeTasks=True)
    except Rejected as refusal:
        if refusal.is_not_found:
            return None
        raise
    return Live.of(workflow) if workflow["status"] in ACTIVE else None
