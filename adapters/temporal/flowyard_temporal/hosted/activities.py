"""The activities that Temporal hands to this process, and how their results reach it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

from temporalio import activity
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import AsyncActivityHandle, Client
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from flowyard.backend import (
    AcknowledgingExecutor,
    ActivityResult,
    ActivityTask,
    Executor,
    FailureDetails,
    closed,
    obstacle,
    perform,
    recorded,
)
from flowyard_temporal.hosted.application_errors import error_of
from flowyard_temporal.hosted.hosted_input import read_call
from flowyard_temporal.hosted.limits import Limits
from flowyard_temporal.hosted.raw import raw

# In seconds: how long the delivery of a result waits before it is tried again.
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
# In seconds: how long this process keeps an activity that it lacks, at the first attempt and at
# most. Then Temporal offers it to all processes again.
_FIRST_KEPT = 10.0
_LONGEST_KEPT_SECONDS = 300.0


class InterruptedActivity(ApplicationError):
    """Ends an attempt without a result: Temporal has the activity run again, perhaps elsewhere."""

    def __init__(self, reason: str = "the process that ran the activity has ended") -> None:
        super().__init__(reason, type="Interrupted")


class Activities:
    """Runs activities. Their retries are the interpreter's: to Temporal, a failure is final."""

    def __init__(
        self, client: Client, executor: Executor, limits: Limits, logger: logging.Logger
    ) -> None:
        self._client = client
        self._executor = executor
        self._acknowledges = isinstance(executor, AcknowledgingExecutor)
        self._limits = limits
        self._logger = logger
        self._running: Counter[tuple[str, str]] = Counter()
        self._ending = asyncio.Event()

    def interrupt(self) -> None:
        """End what runs: the process does not wait for it any longer."""
        self._ending.set()

    def executions(self, instance_id: str) -> list[str]:
        """Return the executions of an instance whose activities run here."""
        return [execution for instance, execution in self._running if instance == instance_id]

    def closed(self, instance_id: str, execution_ids: Sequence[str]) -> None:
        """Note that executions of an instance have ended: their activities are not wanted."""
        for execution_id in execution_ids:
            closed(self._executor, instance_id, execution_id)

    @activity.defn(dynamic=True)
    async def run(self, args: Sequence[RawValue]) -> RawValue:
        """Run an activity and return its result, or raise its failure."""
        info = activity.info()
        task = read_call(
            args,
            info.workflow_id or "",
            info.workflow_run_id or "",
            info.activity_id,
            info.activity_type,
        )
        with self._counted(task), _beating(info.heartbeat_timeout):
            kept = min(_FIRST_KEPT * 2.0 ** min(info.attempt - 1, 10), _LONGEST_KEPT_SECONDS)
            result = self._limits.activity_result(task.name, await self._result_of(task, kept))
            if info.workflow_id and self._acknowledges:
                await self._deliver(info, result)
                recorded(self._executor, task.instance_id, task.execution_id, task.task_id)
                activity.raise_complete_async()
        if result.failure is not None:
            raise error_of(result.failure)
        return raw(result.output)

    @contextmanager
    def _counted(self, task: ActivityTask) -> Iterator[None]:
        key = task.instance_id, task.execution_id
        self._running[key] += 1
        try:
            yield
        finally:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]

    async def _result_of(self, task: ActivityTask, kept: float) -> ActivityResult:
        """Run the activity to its end, also where its instance was terminated meanwhile.

        One that has not begun after `kept` seconds because this process lacks it is given back.
        """
        lacking: str | None = None
        running = asyncio.ensure_future(_carry_out(self._executor, task))
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            while not running.done() and not ending.done() and lacking is None:
                try:
                    done, _ = await asyncio.wait(
                        {running, ending}, timeout=kept, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not done:
                        lacking = obstacle(self._executor, task.instance_id, task.task_id)
                except asyncio.CancelledError:
                    details = activity.cancellation_details()
                    if details is not None and details.not_found:
                        closed(self._executor, task.instance_id, task.execution_id)
            if not running.done():
                running.cancel()
                await asyncio.wait({running})
        finally:
            ending.cancel()
        if running.cancelled():
            raise InterruptedActivity if lacking is None else InterruptedActivity(lacking)
        return running.result()

    async def _deliver(self, info: activity.Info, result: ActivityResult) -> None:
        """Return once Temporal has recorded the result, or waits for none.

        The activity is named by its ID and not by the token of this attempt: a server that was
        away for longer than the heartbeat timeout takes the result all the same, and does not run
        the activity again.
        """
        handle = self._client.get_async_activity_handle(
            workflow_id=info.workflow_id or "",
            run_id=info.workflow_run_id,
            activity_id=info.activity_id,
        )
        pause = _FIRST_PAUSE_SECONDS
        while not self._ending.is_set():
            # Temporal tells by a cancellation that the workflow has ended: ask for its answer.
            with suppress(asyncio.CancelledError):
                if await self._has_answered(handle, info, result):
                    return
                await self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        raise InterruptedActivity

    async def _has_answered(
        self, handle: AsyncActivityHandle, info: activity.Info, result: ActivityResult
    ) -> bool:
        try:
            await _complete(handle, result)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and not await self._is_wanted(info):
                return True
            self._logger.warning(
                "the result of activity '%s' of instance '%s' was not accepted, and will be "
                "delivered again: %s",
                info.activity_type,
                info.workflow_id,
                error.message,
            )
            return False
        return True

    async def _is_wanted(self, info: activity.Info) -> bool:
        """Whether the workflow waits for a result of the activity, as far as can be told."""
        request = DescribeWorkflowExecutionRequest(namespace=self._client.namespace)
        request.execution.workflow_id = info.workflow_id or ""
        request.execution.run_id = info.workflow_run_id or ""
        try:
            service = self._client.workflow_service
            description = await service.describe_workflow_execution(request, retry=True)
        except RPCError as error:
            return error.status is not RPCStatusCode.NOT_FOUND
        if description.workflow_execution_info.HasField("close_time"):
            return False
        pending = description.pending_activities
        return info.activity_id in {scheduled.activity_id for scheduled in pending}

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but no longer than the process works."""
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait({ending}, timeout=seconds)
        finally:
            ending.cancel()


async def _complete(handle: AsyncActivityHandle, result: ActivityResult) -> None:
    if result.failure is not None:
        await handle.fail(error_of(result.failure))
    else:
        await handle.complete(raw(result.output))


async def _carry_out(executor: Executor, task: ActivityTask) -> ActivityResult:
    """Return the result, whatever the code raises: Temporal would try again for ever."""
    try:
        return await perform(executor, task)
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - it is the result
        return ActivityResult(failure=FailureDetails.of(error))


@contextmanager
def _beating(limit: timedelta | None) -> Iterator[None]:
    """Tell Temporal that the activity is alive, from time to time: a short one need not."""
    if not limit:
        yield
        return
    next_beat: asyncio.TimerHandle
    loop, interval = asyncio.get_running_loop(), limit.total_seconds() / 3

    def beat() -> None:
        nonlocal next_beat
        activity.heartbeat()
        next_beat = loop.call_later(interval, beat)

    next_beat = loop.call_later(interval, beat)
    try:
        yield
    finally:
        next_beat.cancel()
