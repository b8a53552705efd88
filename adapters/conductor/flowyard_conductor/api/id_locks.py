"""Locks of instance IDs: what must not be done to one instance by two callers at once.

Conductor makes no start unique and tells nobody who was first to pause or to end a workflow. Its
one atomic operation is the creation of a definition of a given name and version, so such a
definition is the lock. It exists for as long as the lock is held.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowyard.backend import BackendUnavailable, Backoff, new_uuid
from flowyard_conductor.api.connection import Connection
from flowyard_conductor.api.errors import Rejected
from flowyard_conductor.api.names import Names

OWNER = "flowyard@localhost"
"""The owner of our definitions; the server wants an address."""
# Nobody holds a lock for longer; what is older was left behind by a process that died.
_LONGEST_SECONDS = 25.0
_STALE_SECONDS = 30.0
_PATIENCE_SECONDS = 90.0
_CONFLICT = "already exists"


class IdLocks:
    """Lets one caller at a time, of all processes, change what an instance ID stands for."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, instance_id: str) -> AsyncIterator[None]:
        """Hold the lock of an instance ID; wait for whoever holds it."""
        async with self._alone_in_this_process(instance_id):
            name = self._names.id_lock(instance_id)
            version = await self._acquire(name, instance_id)
            try:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    yield
            except TimeoutError as error:
                raise BackendUnavailable(
                    f"{self._connection.where} took more than {_LONGEST_SECONDS:g} s to change "
                    f"instance '{instance_id}'. Read its state before you try again."
                ) from error
            finally:
                await self._release(name, version)

    @asynccontextmanager
    async def _alone_in_this_process(self, instance_id: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(instance_id, (asyncio.Lock(), 0))
        self._locks[instance_id] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(instance_id)
            if users > 1:
                self._locks[instance_id] = lock, users - 1

    async def _acquire(self, name: str, instance_id: str) -> int:
        holder, since, version = "", 0.0, 1
        backoff, deadline = Backoff(0.01, 0.2), time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if await self._create(name, version, instance_id):
                return version
            found = await self._latest(name)
            now = time.monotonic()
            if found is None:
                version, holder = 1, ""
                continue
            version = 1
            if found[1] != holder:
                holder, since = found[1], now
            elif now - since > _STALE_SECONDS:
                # The next version can be created only once, so only one caller takes it over.
                version, holder = found[0] + 1, ""
                continue
            await backoff.sleep()
        raise BackendUnavailable(
            f"{self._connection.where}: instance '{instance_id}' is being changed by other "
            "callers all the time. Try again."
        )

    async def _create(self, name: str, version: int, instance_id: str) -> bool:
        lock = {
            "name": name,
            "version": version,
            "schemaVersion": 2,
            "ownerEmail": OWNER,
            "ownerApp": str(new_uuid()),
            "description": f"locks instance ID '{instance_id}'; removed when it is changed",
            "timeoutSeconds": 0,
            "tasks": [{"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}],
        }
        try:
            await self._connection.post("/metadata/workflow", lock)
        except Rejected as refusal:
            # Where two come at the same moment, the database refuses the second with a 500.
            if _CONFLICT not in str(refusal):
                raise
            return False
        return True

    async def _latest(self, name: str) -> tuple[int, str] | None:
        """Return the version that exists, and who holds it."""
        try:
            lock = await self._connection.get(f"/metadata/workflow/{name}")
        except Rejected as refusal:
            if refusal.is_not_found:
                return None
            raise
        return int(lock["version"]), str(lock.get("ownerApp"))

    async def _release(self, name: str, version: int) -> None:
        # The first version goes last: as long as it is there, nobody else gets it.
        for number in range(version, 0, -1):
            try:
                await self._connection.call("DELETE", f"/metadata/workflow/{name}/{number}")
            except Rejected as refusal:
                if not refusal.is_not_found:
                    raise
