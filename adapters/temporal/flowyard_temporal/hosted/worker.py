"""The worker of Temporal's through which this process runs hosted instances."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from temporalio import workflow
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from flowyard.backend import ComponentContext, Executor, watch
from flowyard_temporal.connection import Connection
from flowyard_temporal.hosted.activities import Activities
from flowyard_temporal.hosted.detached import DetachedStarts
from flowyard_temporal.hosted.inline import InlineExecutor
from flowyard_temporal.hosted.limits import Limits
from flowyard_temporal.hosted.logs import plain_logs
from flowyard_temporal.hosted.worker_context import Environment
from flowyard_temporal.hosted.workflow import HostedWorkflow

# How long a turn waits for the process that has the instance in its cache, though it may be dead.
# So it is in Temporal's Go and Java SDKs; Python's would have others wait for ten seconds.
STICKY_TIMEOUT = timedelta(seconds=5)

# An activity that runs when the worker ends is ended by us.
_GRACE = timedelta(days=365)


class Hosting:
    """A worker of Temporal's that runs, with what its workflows and activities share."""

    def __init__(self, environment: Environment, activities: Activities, worker: Worker) -> None:
        self.environment = environment
        self.activities = activities
        self._worker = worker

    async def drain(self) -> None:
        """Take no more work, and return once what runs has ended and Temporal has recorded it."""
        self.environment.drain()
        await self._worker.shutdown()


@asynccontextmanager
async def host(
    connection: Connection, context: ComponentContext, executor: Executor
) -> AsyncIterator[Hosting]:
    """Run what is on the component's task queue until the end of the block."""
    settings = connection.settings
    limits = Limits.of(connection.limits.blob_size_limit_error)
    heartbeat_timeout = timedelta(seconds=settings.heartbeat_timeout)
    environment = Environment(
        connection.client, executor, limits, heartbeat_timeout, context.logger
    )
    detached = DetachedStarts(connection.client, executor, context.logger)
    activities = Activities(connection.client, executor, limits, context.logger)
    with plain_logs(), InlineExecutor() as inline:
        worker = Worker(
            connection.client,
            task_queue=settings.task_queue,
            workflows=[HostedWorkflow],
            activities=[
                environment.run_turn,
                environment.record,
                detached.start,
                activities.run,
            ],
            # By itself the SDK would read all code that is installed to make one up.
            build_id=f"flowyard-temporal {version('flowyard-temporal')}",
            workflow_task_executor=inline,
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[_Introduction(environment)],
            max_cached_workflows=settings.max_cached_workflows,
            sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
            # Without a cache, a second one would evict the first, whose worker has the turn.
            max_concurrent_workflow_tasks=None if settings.max_cached_workflows else 1,
            max_concurrent_activities=settings.max_concurrent_activities,
            max_concurrent_local_activities=settings.max_concurrent_activities,
            graceful_shutdown_timeout=_GRACE,
        )
        unwatch = watch(executor, environment.wake)
        try:
            async with worker:
                try:
                    yield Hosting(environment, activities, worker)
                finally:
                    environment.interrupt()
                    activities.interrupt()
        finally:
            unwatch()


class _Introduction(Interceptor):
    """Makes the environment known to the workflows: Temporal creates them itself."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def workflow_interceptor_class(
        self, _input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        environment = self._environment

        class Introduction(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                hosted = workflow.instance()
                assert isinstance(hosted, HostedWorkflow)  # noqa: S101
                hosted.environment = environment
                return await super().execute_workflow(input)

        return Introduction
