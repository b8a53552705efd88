"""Which workflows the apps of a task queue have, as definitions of tasks on the server.

So that a process without an app can tell a workflow that some app will run from a misspelt one.
"""

from __future__ import annotations

import asyncio
import time

from flowyard.backend import Executor, RegisteredExecutor
from flowyard_conductor.api.connection import Connection, Json
from flowyard_conductor.api.errors import Rejected
from flowyard_conductor.api.id_locks import OWNER
from flowyard_conductor.api.names import Names

_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.05


class Registrations:
    """Registers workflows, and looks for them."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._known: set[str] = set()

    async def register(self, executor: Executor) -> None:
        """Register what an executor runs: the app's workflows, or whatever its workers know."""
        if isinstance(executor, RegisteredExecutor):
            found = {
                self._names.registration(name): f"an app has the workflow '{name}'"
                for name in executor.workflows()
            }
        else:
            found = {self._names.workers: "workers run workflows of any name"}
        if found:
            await self._post([_definition(*entry) for entry in found.items()])

    async def _post(self, definitions: list[Json]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                await self._connection.post("/metadata/taskdefs", definitions)
            except Rejected as refusal:
                # Where two processes come at the same moment, the database refuses the second.
                if not refusal.is_fault or time.monotonic() > deadline:
                    raise
            else:
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    async def has(self, workflow: str) -> bool:
        """Whether a process of the task queue has, or had, this workflow or any."""
        return await self._is_there(self._names.registration(workflow)) or await self._is_there(
            self._names.workers
        )

    async def _is_there(self, name: str) -> bool:
        if name in self._known:
            return True
        try:
            await self._connection.get(f"/metadata/taskdefs/{name}")
        except Rejected as refusal:
            if refusal.is_not_found:
                return False
            raise
        self._known.add(name)
        return True


def _definition(name: str, description: str) -> Json:
    return {
        "name": name,
        "description": description,
        "ownerEmail": OWNER,
        "timeoutSeconds": 0,
        "responseTimeoutSeconds": 1,
    }
