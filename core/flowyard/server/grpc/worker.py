"""The worker stream: hands work to connected SDK workers (docs/protocol.md §7)."""

from __future__ import annotations

import logging
from typing import Any

import grpc.aio

from flowyard.backend.executor import ActivityTask, Turn
from flowyard.executors.assignments import QueueClosed
from flowyard.executors.work_queue import WorkQueue
from flowyard.executors.worker_streams import CREDIT, Delivery
from flowyard.failure import FailureDetails
from flowyard.server.grpc.history import Rendering
from flowyard.server.grpc.propagation import Propagation
from flowyard.wire.v1 import taskhub_pb2 as wire

logger = logging.getLogger(__name__)

_STATEFUL_HISTORY = 2
_HEALTH_PING = 3
_UNLIMITED_SDKS = ("dapr-sdk-dotnet",)
# Of what workers remember: so many instances, and events of all of them together.
_MOST_REMEMBERED = 10_000
_MOST_EVENTS_REMEMBERED = 1_000_000

Context = grpc.aio.ServicerContext[Any, Any]


class WorkerService:
    """The methods by which workers get work.

    `worker_limit` is the size in bytes that a worker takes which does not say that it takes any;
    0 means that none has a limit.
    """

    def __init__(
        self,
        queue: WorkQueue,
        ping_seconds: float,
        worker_limit: int,
        app_id: str,
        propagation: Propagation,
    ) -> None:
        self._queue = queue
        self._ping_seconds = ping_seconds
        self._worker_limit = worker_limit
        self._app_id = app_id
        self._propagation = propagation

    async def hello(self, _request: wire.Nothing, _context: Context) -> wire.Nothing:
        """Say that the server is there."""
        return wire.Nothing()

    async def get_work_items(self, request: wire.GetWorkItemsRequest, context: Context) -> None:
        """Send work for as long as the worker stays."""
        capabilities = set(request.capabilities)
        limit = self._limit_of(request, context)
        ping_seconds = self._ping_seconds if _HEALTH_PING in capabilities else None
        sent = Sent(self._app_id) if _STATEFUL_HISTORY in capabilities else None
        logger.info("a worker has connected from %s", context.peer())
        with self._queue.stream(context.peer(), _credit_of(request)) as stream:
            try:
                while True:
                    delivery = await stream.take_within(ping_seconds)
                    if delivery is None:
                        await context.write(_PING)
                    elif (item := await self._item(delivery, limit, sent)) is not None:
                        await context.write(item)
            except QueueClosed:
                return
            finally:
                logger.info("the worker at %s has disconnected", context.peer())

    def _limit_of(self, request: wire.GetWorkItemsRequest, context: Context) -> int | None:
        """Return how many bytes a message to this worker may have; None for any number."""
        if request.capabilities or not self._worker_limit:
            return None
        agent = str(dict(context.invocation_metadata() or ()).get("user-agent", ""))
        return None if any(sdk in agent for sdk in _UNLIMITED_SDKS) else self._worker_limit

    async def _item(self, delivery: Delivery, limit: int | None, sent: Sent | None) -> bytes | None:
        """Return what is sent to the worker; None if it cannot be: then another worker is asked."""
        request = delivery.work.request
        item = wire.WorkItem(completion_token=delivery.token)
        if isinstance(request, ActivityTask):
            _fill_activity(item.activity_request, request)
            if (told := await self._propagation.of_activity(request)) is not None:
                item.activity_request.propagated_history.CopyFrom(told)
        else:
            self._fill_turn(item.workflow_request, request, sent)
        data = item.SerializeToString()
        if limit is None or len(data) <= limit:
            return data
        what = f"activity '{request.name}'" if isinstance(request, ActivityTask) else "turn"
        message = f"the {what} has {len(data)} bytes, and its worker accepts at most {limit}"
        logger.error("instance '%s': %s", request.instance_id, message)
        failure = FailureDetails("PayloadSizeExceeded", message, non_retryable=True)
        delivery.decline(delivery.failed(failure))
        return None

    def _fill_turn(self, request: wire.WorkflowRequest, turn: Turn, sent: Sent | None) -> None:
        known, rendering = 0, Rendering(turn.instance_id, self._app_id)
        if sent is not None:
            known, rendering = sent.take(turn)
        request.instance_id = turn.instance_id
        request.execution_id.value = turn.execution_id
        request.past_events.extend(rendering.render(turn.past[known:] if known else turn.past))
        request.new_events.extend(rendering.render(turn.new))
        if (told := self._propagation.of_turn(turn)) is not None:
            request.propagated_history.CopyFrom(told)
        if known:
            request.cached_history.event_count = known


def _credit_of(request: wire.GetWorkItemsRequest) -> tuple[int, int]:
    """Return how many turns and activities the worker takes at once."""
    turns, activities = CREDIT
    announced_turns = request.max_concurrent_workflow_work_items
    announced_activities = request.max_concurrent_activity_work_items
    return (
        announced_turns if announced_turns > 0 else turns,
        announced_activities if announced_activities > 0 else activities,
    )


class Sent:
    """What one worker has been sent of each history, and so remembers."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self._known: dict[str, tuple[str, int, Rendering]] = {}
        self._events = 0

    def take(self, turn: Turn) -> tuple[int, Rendering]:
        """Return how many past events may be left out, and what renders those that follow.

        All are noted as sent now.
        """
        execution_id, count, rendering = self._known.pop(turn.instance_id, ("", 0, None))
        self._events -= count
        if rendering is None or execution_id != turn.execution_id or count > len(turn.past):
            count, rendering = 0, Rendering(turn.instance_id, self._app_id)
        self._known[turn.instance_id] = turn.execution_id, len(turn.past), rendering
        self._events += len(turn.past)
        while len(self._known) > _MOST_REMEMBERED or (
            self._events > _MOST_EVENTS_REMEMBERED and len(self._known) > 1
        ):
            _, forgotten, _ = self._known.pop(next(iter(self._known)))
            self._events -= forgotten
        return count, rendering


_PING = wire.WorkItem(health_ping=wire.Nothing()).SerializeToString()


def _fill_activity(request: wire.ActivityRequest, task: ActivityTask) -> None:
    request.name = task.name
    if task.input is not None:
        request.input.value = task.input
    request.workflow_instance.instance_id = task.instance_id
    request.task_id = task.task_id
    request.task_execution_id = task.task_execution_id
