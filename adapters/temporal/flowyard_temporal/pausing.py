"""Pauses and resumes what runs, where the namespace has that."""

from __future__ import annotations

from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)
from temporalio.service import RPCStatusCode

from flowyard.errors import UnsupportedOperation
from flowyard.identifier import new_uuid
from flowyard.models import WorkflowStatus
from flowyard_temporal.connection import Connection, Method, Q, R
from flowyard_temporal.faults import Rejected
from flowyard_temporal.instances import Instances


class Pausing:
    """The server's own pause: it hands out no workflow task until the instance is resumed."""

    def __init__(self, connection: Connection, instances: Instances) -> None:
        self._connection = connection
        self._instances = instances

    async def pause(self, instance_id: str, reason: str | None) -> bool:
        """Pause the instance; False if it is closed or paused already."""
        status = (await self._instances.state(instance_id, payloads=False)).status
        if status.is_closed or status is WorkflowStatus.SUSPENDED:
            return False
        if status is WorkflowStatus.PENDING:
            # The server answers with an internal error.
            raise self._unsupported("pause", f"instance '{instance_id}' has not begun yet")
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
        status = (await self._instances.state(instance_id, payloads=False)).status
        if status is not WorkflowStatus.SUSPENDED:
            self._require("resume")
            return False
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

    def _require(self, operation: str) -> None:
        if not self._connection.capabilities.workflow_pause:
            raise self._unsupported(
                operation,
                f"the namespace '{self._connection.namespace}' has it switched off. Set "
                "frontend.WorkflowPauseEnabled in the server's dynamic configuration (server 1.30 "
                "or newer)",
            )

    def _unsupported(self, operation: str, reason: str) -> UnsupportedOperation:
        return UnsupportedOperation(self._connection.name, operation, reason)
