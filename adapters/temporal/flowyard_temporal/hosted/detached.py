"""Starts instances that workflows ask for and do not wait for."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio import activity
from temporalio.api.common.v1 import Memo, Payloads, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from flowyard.backend import ChildCreated, ExecutionStarted, Executor, decode_events, encode_events
from flowyard_temporal.hosted.hosted_input import Beginning
from flowyard_temporal.hosted.raw import raw, text_of

START = "flowyard.start"
"""The local activity that starts a detached instance."""


class DetachedStarts:
    """Starts each instance once, though Temporal may ask for a start again."""

    def __init__(self, client: Client, executor: Executor, logger: logging.Logger) -> None:
        self._client = client
        self._executor = executor
        self._logger = logger

    @activity.defn(name=START)
    async def start(self, events: RawValue) -> RawValue:
        """Start an instance that has no parent; return the event that records it."""
        created, started = decode_events((text_of([events]) or "").encode())
        assert isinstance(created, ChildCreated)  # noqa: S101
        assert isinstance(started, ExecutionStarted)  # noqa: S101
        try:
            await self._client.workflow_service.start_workflow_execution(
                self._request(created, started), retry=True
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
            self._logger.warning(
                "instance '%s': detached workflow '%s' was not started: instance '%s' is active",
                *(activity.info().workflow_id, created.name, created.instance_id),
            )
        return raw(encode_events([created]).decode())

    def _request(
        self, created: ChildCreated, started: ExecutionStarted
    ) -> StartWorkflowExecutionRequest:
        beginning = Beginning.of([started], created.name, self._executor)
        arguments = [argument.payload for argument in beginning.arguments()]
        memo = {key: value.payload for key, value in beginning.memo().items()}
        return StartWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_id=created.instance_id,
            workflow_type=WorkflowType(name=created.name),
            task_queue=TaskQueue(name=activity.info().task_queue),
            input=Payloads(payloads=arguments),
            identity=self._client.identity,
            # The same where the turn is repeated, also when the instance has ended meanwhile.
            request_id=started.execution_id,
            workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
            workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
            memo=Memo(fields=memo),
            workflow_start_delay=_delay_until(created.start_at),
        )


def _delay_until(start_at: int | None) -> Duration | None:
    delay = 0 if start_at is None else start_at - time.time_ns() // 1000
    if delay <= 0:
        return None
    duration = Duration()
    duration.FromTimedelta(timedelta(microseconds=delay))
    return duration
