"""Pauses and resumes what runs: by the server where the namespace has that, else by the host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)
from temporalio.client import (
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from flowyard.backend import BackendUnavailable, UnsupportedOperation, WorkflowStatus, new_uuid
from flowyard_temporal.connection import Connection, Method, Q, R
from flowyard_temporal.errors import Rejected, error_of
from flowyard_temporal.hosted.worker import STICKY_TIMEOUT
from flowyard_temporal.hosted.workflow import PAUSE, RESUME
from flowyard_temporal.instances import Instances


class Pausing:
    """The server's own pause: it hands out no workflow task until the instance is resumed.

    Where it is switched off, hosted instances are asked themselves, by an update.
    """

    def __init__(self, connection: Connection, instances: Instances) -> None:
        self._connection = connection
        self._instances = instances

    async def pause(self, instance_id: str, reason: str | None) -> bool:
        """Pause the instance; False if it is closed or paused already."""
        snapshot = await self._instances.snapshot(instance_id, payloads=False)
        now = datetime.now(UTC)
        status = snapshot.status_at(now)
        if status.is_closed or status is WorkflowStatus.SUSPENDED:
            return False
        if snapshot.is_delayed(now):
            # The server answers with an internal error.
            raise self._unsupported("pause", f"instance '{instance_id}' has not begun yet")
        if snapshot.is_hosted and not self._is_able:
            return await self._ask(instance_id, PAUSE, reason)
        request = PauseWorkflowExecutionRequest(
            namespace=self._connection.namespace,
            workflow_id=instance_id,
            identity=self._connection.identity,
            reason=reason or "",
            request_id=str(new_uuid()),
        )
        service = self._connection.service
        return await self._change("pause", instance_id, service.pause_workflow_execution, request)

    async def resume(self, instance_id: str, reason: str | None) -> bool:
        """Let the instance go on; False if it is closed or not paused."""
        snapshot = await self._instances.snapshot(instance_id, payloads=False)
        status = snapshot.status_at(datetime.now(UTC))
        if status is not WorkflowStatus.SUSPENDED:
            if not status.is_closed and not snapshot.is_hosted:
                self._require("resume")
            return False
        if snapshot.is_paused_by_host:
            return await self._ask(instance_id, RESUME, reason)
        request = UnpauseWorkflowExecutionRequest(
            namespace=self._connection.namespace,
            workflow_id=instance_id,
            identity=self._connection.identity,
            reason=reason or "",
            request_id=str(new_uuid()),
        )
        service = self._connection.service
        return await self._change(
            "resume", instance_id, service.unpause_workflow_execution, request
        )

    async def _ask(self, instance_id: str, update: str, reason: str | None) -> bool:
        connection = self._connection
        handle = connection.client.get_workflow_handle(instance_id)
        # The server may keep it for a process that has gone before it gives it to another.
        patience = timedelta(seconds=connection.settings.request_timeout) + STICKY_TIMEOUT
        try:
            changed: bool = await handle.execute_update(
                update, reason, result_type=bool, rpc_timeout=patience
            )
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise BackendUnavailable(
                f"{connection.where}: no worker has taken '{update}' of instance '{instance_id}' "
                f"within {patience.total_seconds():g} s (requestTimeout + "
                f"{STICKY_TIMEOUT.total_seconds():g} s). Start the application that runs it."
            ) from error
        except (WorkflowUpdateFailedError, RPCError) as error:
            # It may have closed meanwhile.
            state = await self._instances.state(instance_id, payloads=False)
            if state.status.is_closed:
                return False
            if isinstance(error, RPCError):
                raise error_of(error, connection.where) from error
            raise BackendUnavailable(
                f"{connection.where}: instance '{instance_id}' did not take '{update}': {error}. "
                "Try again."
            ) from error
        return changed

    async def _change(
        self, operation: str, instance_id: str, method: Method[Q, R], request: Q
    ) -> bool:
        self._require(operation)
        try:
            return await self._instances.change(instance_id, method, request)
        except Rejected as refusal:
            if refusal.status is RPCStatusCode.FAILED_PRECONDITION:
                return False  # somebody else was faster
            if refusal.status is RPCStatusCode.UNIMPLEMENTED:
                raise self._unsupported(operation, str(refusal)) from refusal
            raise

    @property
    def _is_able(self) -> bool:
        return self._connection.capabilities.workflow_pause

    def _require(self, operation: str) -> None:
        if not self._is_able:
            raise self._unsupported(
                operation,
                f"the namespace '{self._connection.namespace}' has it switched off. Set "
                "frontend.WorkflowPauseEnabled in the server's dynamic configuration (server 1.30 "
                "or newer)",
            )

    def _unsupported(self, operation: str, reason: str) -> UnsupportedOperation:
        return UnsupportedOperation(self._connection.name, operation, reason)
