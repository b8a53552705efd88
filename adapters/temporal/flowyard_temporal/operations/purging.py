"""Removes closed instances, and returns when the server has really done so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCStatusCode

from flowyard.backend import BackendUnavailable, Backoff, InstanceNotClosed, InstanceNotFound
from flowyard_temporal.connection import Connection
from flowyard_temporal.errors import Rejected
from flowyard_temporal.instances import Instances
from flowyard_temporal.operations.run_tree import Families, Run

_SHOWN = 5


class Purging:
    """Temporal removes one run at a time, some time after it was asked."""

    def __init__(self, connection: Connection, instances: Instances, families: Families) -> None:
        self._connection = connection
        self._instances = instances
        self._families = families

    async def purge(self, instance_id: str, *, recursive: bool) -> int:
        """Remove every run of an instance (and of its children); return the count of instances.

        Raises `BackendUnavailable` if the server has not removed them within `purgeTimeout`; it
        does so later, all the same.
        """
        runs = await self._families.runs(instance_id, recursive=recursive)
        for run in runs:
            if not run.is_closed:
                state = await self._instances.state(run.instance_id, payloads=False)
                raise InstanceNotClosed(run.instance_id, state.status)
        # The instance itself comes last, so that a purge which fails half-way can be repeated.
        for run in reversed(runs):
            await self._delete(run)
        await self._all_gone(runs)
        return len({run.instance_id for run in runs})

    async def _delete(self, run: Run) -> None:
        connection = self._connection
        request = DeleteWorkflowExecutionRequest(
            namespace=connection.namespace,
            workflow_execution=connection.execution(run.instance_id, run.run_id),
        )
        try:
            await connection.call(connection.service.delete_workflow_execution, request)
        except Rejected as refusal:
            if refusal.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _all_gone(self, runs: Sequence[Run]) -> None:
        patience = self._connection.settings.purge_timeout
        pending = list(runs)
        backoff = Backoff(0.02, 1.0)
        try:
            async with asyncio.timeout(patience):
                while pending := [run for run in pending if await self._is_there(run)]:
                    await backoff.sleep()
        except TimeoutError as error:
            shown = ", ".join(f"'{run.instance_id}' (run {run.run_id})" for run in pending[:_SHOWN])
            more = f" and {len(pending) - _SHOWN} more" if len(pending) > _SHOWN else ""
            raise BackendUnavailable(
                f"{self._connection.where} has accepted the purge, but has not removed {shown}"
                f"{more} within {patience:g} s (purgeTimeout). The server continues; look again "
                "later."
            ) from error

    async def _is_there(self, run: Run) -> bool:
        try:
            await self._instances.describe(run.instance_id, run.run_id)
        except InstanceNotFound:
            return False
        return True
