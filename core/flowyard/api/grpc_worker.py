"""The worker stream: hands work to connected SDK workers and takes their answers (PROTOCOL §7)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc.aio

from flowyard.api.grpc_actions import is_repeated, turn_result
from flowyard.api.grpc_history import Rendering
from flowyard.api.grpc_values import failure_of, string
from flowyard.executor import ActivityResult, ActivityTask, Turn
from flowyard.models import FailureDetails
from flowyard.remote import Delivery, WorkQueue
from flowyard.wire.v1 import taskhub_pb2 as wire

logger = logging.getLogger(__name__)

_STATEFUL_HISTORY = 2
_HEALTH_PING = 3
# Workers before 1.19 take what gRPC takes by default, and hang up on more; later ones announce
# what they are capable of, and take anything.
_OLD_WORKERS_LIMIT = 4 * 1024 * 1024
_MOST_REMEMBERED = 10_000

Context = grpc.aio.ServicerContext[Any, Any]


class WorkerService:
    """The methods that workers call."""

    def __init__(self, queue: WorkQueue, ping_seconds: float) -> None:
        self._queue = queue
        self._ping_seconds = ping_seconds

    async def hello(self, _request: wire.Nothing, _context: Context) -> wire.Nothing:
        """Say that the server is there."""
        return wire.Nothing()

    async def get_work_items(self, request: wire.GetWorkItemsRequest, context: Context) -> None:
        """Send work for as long as the worker stays."""
        capabilities = set(request.capabilities)
        limit = None if capabilities else _OLD_WORKERS_LIMIT
        ping_seconds = self._ping_seconds if _HEALTH_PING in capabilities else None
        sent = _Sent() if _STATEFUL_HISTORY in capabilities else None
        logger.info("a worker has connected from %s", context.peer())
        with self._queue.stream(context.peer()) as stream:
            taking = asyncio.ensure_future(stream.take())
            try:
                while True:
                    await asyncio.wait({taking}, timeout=ping_seconds)
                    if not taking.done():
                        await context.write(wire.WorkItem(health_ping=wire.Nothing()))
                        continue
                    delivery = taking.result()
                    if (item := _item(delivery, limit, sent)) is not None:
                        await context.write(item)
                    taking = asyncio.ensure_future(stream.take())
            finally:
                taking.cancel()
                with suppress(asyncio.CancelledError):
                    await taking
                logger.info("the worker at %s is gone", context.peer())

    async def complete_workflow(
        self, response: wire.WorkflowResponse, context: Context
    ) -> wire.Nothing:
        """Take what a worker has decided in a turn; an answer that nobody waits for is dropped."""
        token = response.completion_token
        delivery = self._queue.find(token, (response.instance_id, None), context.peer())
        turn = delivery.work.request if delivery is not None else None
        if (
            delivery is not None
            and isinstance(turn, Turn)
            and (token or not is_repeated(response, turn))
        ):
            _conclude(delivery, lambda: turn_result(response, turn))
        return wire.Nothing()

    async def complete_activity(
        self, response: wire.ActivityResponse, context: Context
    ) -> wire.Nothing:
        """Take the result of an activity; the first one counts."""
        key = response.instance_id, response.task_id
        delivery = self._queue.find(response.completion_token, key, context.peer())
        if delivery is not None:
            _conclude(delivery, lambda: _activity_result(response))
        return wire.Nothing()


class _Sent:
    """How much of each history one worker has been sent, and so remembers."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[str, int]] = {}

    def known(self, turn: Turn) -> int:
        """Return how many past events may be left out, and note that all have been sent now."""
        execution_id, count = self._counts.pop(turn.instance_id, ("", 0))
        self._counts[turn.instance_id] = turn.execution_id, len(turn.past)
        while len(self._counts) > _MOST_REMEMBERED:
            del self._counts[next(iter(self._counts))]
        is_known = execution_id == turn.execution_id and count <= len(turn.past)
        return count if is_known else 0


def _item(delivery: Delivery, limit: int | None, sent: _Sent | None) -> wire.WorkItem | None:
    """Return what is sent to the worker; None if it cannot be, which is the work's answer."""
    request = delivery.work.request
    item = wire.WorkItem(completion_token=delivery.token)
    if isinstance(request, ActivityTask):
        item.activity_request.CopyFrom(_activity_request(request))
    else:
        item.workflow_request.CopyFrom(_workflow_request(request, sent))
    size = item.ByteSize()
    if limit is None or size <= limit:
        return item
    what = f"activity '{request.name}'" if isinstance(request, ActivityTask) else "turn"
    message = f"the {what} takes {size} bytes, and its worker accepts no more than {limit}"
    logger.error("instance '%s': %s", request.instance_id, message)
    delivery.refuse(FailureDetails("PayloadSizeExceeded", message, non_retryable=True))
    return None


def _workflow_request(turn: Turn, sent: _Sent | None) -> wire.WorkflowRequest:
    known = sent.known(turn) if sent is not None else 0
    rendering = Rendering(turn.instance_id)
    request = wire.WorkflowRequest(
        instance_id=turn.instance_id,
        execution_id=string(turn.execution_id),
        past_events=rendering.render(turn.past)[known:],
        new_events=rendering.render(turn.new),
    )
    if known:
        request.cached_history.event_count = known
    return request


def _activity_request(task: ActivityTask) -> wire.ActivityRequest:
    return wire.ActivityRequest(
        name=task.name,
        input=string(task.input),
        workflow_instance=wire.WorkflowInstance(instance_id=task.instance_id),
        task_id=task.task_id,
        task_execution_id=task.task_execution_id,
    )


def _activity_result(response: wire.ActivityResponse) -> ActivityResult:
    if response.HasField("failure_details"):
        return ActivityResult(failure=failure_of(response.failure_details))
    return ActivityResult(response.result.value if response.HasField("result") else None)


def _conclude(delivery: Delivery, read: Callable[[], Any]) -> None:
    """Hand over an answer; one that cannot be read must not leave its work unanswered."""
    try:
        delivery.conclude(read())
    except Exception as error:
        instance_id = delivery.work.request.instance_id
        logger.exception("an answer for instance '%s' cannot be read", instance_id)
        delivery.refuse(FailureDetails.of(error))
