"""Starts workflows by their type, on the task queue of whoever runs them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Memo, Payload, Payloads, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.service import RPCStatusCode

from flowyard.backend import (
    InstanceAlreadyExists,
    InstanceNotFound,
    InvalidRequest,
    ReusePolicy,
    StartRequest,
    new_uuid,
)
from flowyard_temporal.connection import Connection
from flowyard_temporal.errors import Rejected
from flowyard_temporal.instances import Instances
from flowyard_temporal.payloads import payloads_of, spread_payloads_of

TASK_QUEUE = "task_queue"
"""The option of a start that names its task queue."""
SPREAD_INPUT = "spread_input"
"""The option by which each element of the input, an array, is an argument of its own."""

_REUSE = {
    ReusePolicy.REPLACE_CLOSED: WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
    ReusePolicy.REJECT: WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
}


class Starts:
    """Starts instances."""

    def __init__(self, connection: Connection, instances: Instances) -> None:
        self._connection = connection
        self._instances = instances

    async def start(
        self,
        request: StartRequest,
        *,
        arguments: Payloads | None = None,
        memo: Mapping[str, Payload] | None = None,
    ) -> None:
        """Start what was asked for; its input is the only argument unless others are given."""
        connection = self._connection
        given = self._arguments(request) if arguments is None else arguments
        start = StartWorkflowExecutionRequest(
            namespace=connection.namespace,
            workflow_id=request.instance_id,
            workflow_type=WorkflowType(name=request.workflow),
            task_queue=TaskQueue(name=self._task_queue(request)),
            input=given,
            identity=connection.identity,
            request_id=str(new_uuid()),
            workflow_id_reuse_policy=_REUSE[request.reuse],
            workflow_id_conflict_policy=(WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL),
            memo=Memo(fields=memo) if memo else None,
            workflow_start_delay=_delay(request.start_at),
        )
        try:
            await connection.call(connection.service.start_workflow_execution, start)
        except Rejected as refusal:
            if refusal.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
            raise await self._already_exists(request.instance_id) from refusal

    def _arguments(self, request: StartRequest) -> Payloads | None:
        spread = request.options.get(SPREAD_INPUT, "false")
        if spread not in {"true", "false"}:
            raise InvalidRequest(f"the option '{SPREAD_INPUT}' is neither 'true' nor 'false'")
        if spread == "false":
            return payloads_of(request.input)
        arguments = spread_payloads_of(request.input)
        if arguments is None:
            raise InvalidRequest(
                f"the option '{SPREAD_INPUT}' needs an array as the input: each of its elements "
                "is an argument"
            )
        return arguments

    def _task_queue(self, request: StartRequest) -> str:
        unknown = sorted(set(request.options) - {TASK_QUEUE, SPREAD_INPUT})
        if unknown:
            raise InvalidRequest(
                f"component '{self._connection.name}' knows no option '{unknown[0]}' of a start: "
                f"leave it out; the options are '{TASK_QUEUE}' and '{SPREAD_INPUT}'"
            )
        queue = request.options.get(TASK_QUEUE, self._connection.settings.task_queue)
        if not queue:
            raise InvalidRequest(
                f"the option '{TASK_QUEUE}' is empty: name a queue or leave it out"
            )
        return queue

    async def _already_exists(self, instance_id: str) -> InstanceAlreadyExists:
        try:
            state = await self._instances.state(instance_id, payloads=False)
        except InstanceNotFound:
            return InstanceAlreadyExists(instance_id, "being removed")
        return InstanceAlreadyExists(instance_id, state.status)


def _delay(start_at: datetime | None) -> Duration | None:
    if start_at is None:
        return None
    delay = Duration()
    delay.FromTimedelta(start_at - datetime.now(UTC))
    return delay if delay.ToNanoseconds() > 0 else None
