"""Starts: an instance ID is locked, looked up and then given to a new workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from flowyard.backend import BackendUnavailable, InstanceAlreadyExists, ReusePolicy, StartRequest
from flowyard_conductor.api.errors import Rejected
from flowyard_conductor.api.id_locks import IdLocks
from flowyard_conductor.instances import Found, Instances
from flowyard_conductor.native.states import STATUSES

Remove: TypeAlias = Callable[[Found], Awaitable[None]]


class Starts:
    """Gives an ID to one workflow at a time."""

    def __init__(self, instances: Instances, id_locks: IdLocks, remove: Remove) -> None:
        self._instances = instances
        self._id_locks = id_locks
        self._remove = remove

    async def start(
        self, request: StartRequest, begin: Callable[[StartRequest], Awaitable[str]]
    ) -> str:
        """Begin a workflow under the request's ID if that is free, and return its own ID."""
        if request.is_new_id:
            return await begin(request)
        async with self._id_locks.hold(request.instance_id):
            runs = await self._instances.holders(request.instance_id)
            for run in runs:
                # Conductor's own ID of a workflow always means that workflow.
                is_own = run.workflow_id == request.instance_id
                if run.is_active or is_own or request.reuse is ReusePolicy.REJECT:
                    raise InstanceAlreadyExists(request.instance_id, STATUSES[run.status])
            workflow_id = await begin(request)
            for run in runs:
                # Of others' workflows, Conductor shows all runs of an ID, and so do we.
                if run.workflow is not None:
                    # The new one hides it, and is purged together with it.
                    with suppress(BackendUnavailable, Rejected):
                        await self._remove(run)
            return workflow_id
