"""What workers answer: whose it is, and what becomes of it (docs/protocol.md §7)."""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

import grpc.aio
from google.protobuf.message import DecodeError

from flowyard.backend.executor import ActivityResult, ActivityTask, Turn, TurnResult
from flowyard.backend.history import ExecutionCompleted
from flowyard.errors import BackendUnavailable, InvalidRequest
from flowyard.executors.remote import started_of
from flowyard.executors.work_queue import WorkQueue
from flowyard.executors.worker_streams import Delivery
from flowyard.failure import FailureDetails
from flowyard.server.grpc.actions import is_repeated, turn_result
from flowyard.server.grpc.starts import Starts
from flowyard.server.grpc.values import failure_of
from flowyard.server.refusals import Refusals
from flowyard.wire.v1 import taskhub_pb2 as wire

logger = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
TurnAnswer: TypeAlias = wire.WorkflowResponse | wire.WorkflowResponseAddress
ActivityAnswer: TypeAlias = wire.ActivityResponse | wire.ActivityResponseAddress

# What the SDKs call a name that nothing is registered under: Dapr's for .NET; those for Python and
# JavaScript; for Go and Microsoft's for .NET. Java has no name of its own for it.
_WORKFLOW_MISSING = {
    "WorkflowNotFound",
    "OrchestratorNotRegisteredError",
    "OrchestratorTaskNotFound",
}
_ACTIVITY_MISSING = {
    "ActivityNotFoundException",
    "ActivityNotRegisteredError",
    "TaskActivityNotRegistered",
    "ActivityTaskNotFound",
}


class AnswerService:
    """The methods by which workers answer. None of them is refused because there are too many."""

    def __init__(
        self, queue: WorkQueue, max_bytes: int, app_id: str, starts: Starts, refusals: Refusals
    ) -> None:
        self._queue = queue
        self._max_bytes = max_bytes
        self._app_id = app_id
        self._starts = starts
        self._refusals = refusals

    async def complete_workflow(self, data: bytes, context: Context) -> wire.Nothing:
        """Take what a worker has decided in a turn; an answer that nobody waits for is dropped."""
        answer = self._turn_answer(data, context)
        delivery = self._find(answer, (answer.instance_id, None), context)
        if delivery is None:
            return wire.Nothing()
        turn = delivery.work.request
        assert isinstance(turn, Turn)  # noqa: S101  # the key says so
        if not isinstance(answer, wire.WorkflowResponse):
            delivery.conclude(delivery.failed(self._too_large(answer.instance_id, len(data))))
        elif not answer.completion_token and is_repeated(answer, turn):
            self._drop("REPEATED", "the history already has it", answer.instance_id, context)
        elif delivery.is_settled:
            self._queue.answered(delivery)
            self._drop("LATE", "nothing waits for it any more", answer.instance_id, context)
        else:
            delivery.conclude(self._turn_result(answer, turn, delivery))
            self._starts.note(turn.instance_id)
        return wire.Nothing()

    async def complete_activity(self, data: bytes, context: Context) -> wire.Nothing:
        """Take the result of an activity, the first one, and answer once it is durable."""
        answer = self._activity_answer(data, context)
        delivery = self._find(answer, (answer.instance_id, answer.task_id), context)
        if delivery is None:
            return wire.Nothing()
        task = delivery.work.request
        assert isinstance(task, ActivityTask)  # noqa: S101  # the key says so
        acknowledgements = self._queue.acknowledgements
        if delivery.is_settled:
            self._queue.answered(delivery)
            if not acknowledgements.is_pending(delivery.work):
                self._drop("LATE", "nothing waits for it any more", answer.instance_id, context)
                return wire.Nothing()
        elif _lacks_activity(answer):
            delivery.decline(None, f"no connected worker has activity '{task.name}'")
            return wire.Nothing()
        kept = acknowledgements.expect(delivery.work)
        if isinstance(answer, wire.ActivityResponse):
            delivery.conclude(_activity_result(answer))
        else:
            delivery.conclude(delivery.failed(self._too_large(answer.instance_id, len(data))))
        # What it says is in the host's hands now: nothing is to be kept here while it waits.
        del data, answer
        if kept is not None and not await kept:
            raise BackendUnavailable(
                f"the result of activity '{task.name}' of instance '{task.instance_id}' was not "
                "stored, so the activity will run again"
            )
        return wire.Nothing()

    def _turn_answer(self, data: bytes, context: Context) -> TurnAnswer:
        """Read an answer; of one that is too large no more than whose it is."""
        address = wire.WorkflowResponseAddress
        try:
            if len(data) > self._max_bytes:
                return address.FromString(data)
            return wire.WorkflowResponse.FromString(data)
        except DecodeError as error:
            text = f"the answer of a turn cannot be read: {error}"
            self._unreadable(_whose(address, data), text, context)
            raise InvalidRequest(text) from error

    def _activity_answer(self, data: bytes, context: Context) -> ActivityAnswer:
        """Read an answer; of one that is too large no more than whose it is."""
        address = wire.ActivityResponseAddress
        try:
            if len(data) > self._max_bytes:
                return address.FromString(data)
            return wire.ActivityResponse.FromString(data)
        except DecodeError as error:
            text = f"the result of an activity cannot be read: {error}"
            self._unreadable(_whose(address, data), text, context)
            raise InvalidRequest(text) from error

    def _unreadable(
        self,
        answer: wire.WorkflowResponseAddress | wire.ActivityResponseAddress | None,
        text: str,
        context: Context,
    ) -> None:
        """Have another worker run what this one has answered with something unreadable."""
        self._refusals.tell("UNREADABLE", "an answer", context.peer(), text)
        if answer is None:
            return
        task_id = getattr(answer, "task_id", None)
        key = (answer.instance_id, task_id)
        delivery = self._queue.find(answer.completion_token, key, context.peer())
        if delivery is not None and task_id is not None:
            delivery.decline(None, f"{text}; it waits for another worker")
        elif delivery is not None:
            delivery.decline(TurnResult(stalled=FailureDetails("UnreadableAnswer", text)))

    def _find(
        self, answer: TurnAnswer | ActivityAnswer, key: tuple[str, int | None], context: Context
    ) -> Delivery | None:
        delivery = self._queue.find(answer.completion_token, key, context.peer())
        if delivery is None:
            why = "its work was never given to a worker, or is done"
            if not answer.completion_token:
                why += "; without a token it must come over the connection that brought the work"
            self._drop("UNKNOWN", why, answer.instance_id, context)
        return delivery

    def _drop(self, kind: str, why: str, instance_id: str, context: Context) -> None:
        self._refusals.tell(kind, f"an answer for instance '{instance_id}'", context.peer(), why)

    def _turn_result(
        self, response: wire.WorkflowResponse, turn: Turn, delivery: Delivery
    ) -> TurnResult | ActivityResult:
        """Return what the turn comes to; an answer that makes no sense must not leave it open."""
        failures = [
            action.complete_workflow.failure_details.error_type.rpartition(".")[2]
            for action in response.actions
            if action.HasField("complete_workflow")
            and action.complete_workflow.HasField("failure_details")
        ]
        if any(failure in _WORKFLOW_MISSING for failure in failures):
            message = f"no connected worker has workflow '{started_of(turn).workflow}'"
            return TurnResult(stalled=FailureDetails("WorkflowNotRegistered", message))
        try:
            result = turn_result(response, turn, self._app_id)
        except Exception as error:
            logger.exception("an answer for instance '%s' cannot be read", turn.instance_id)
            return delivery.failed(FailureDetails.of(error))
        if not failures:
            for action in result.actions:
                if isinstance(action, ExecutionCompleted) and action.failure is not None:
                    logger.warning(
                        "instance '%s' fails because of its worker's answer: %s",
                        turn.instance_id,
                        action.failure.message,
                    )
        return result

    def _too_large(self, instance_id: str, size: int) -> FailureDetails:
        message = (
            f"the answer has {size} bytes, and at most {self._max_bytes} are accepted (--max-body)"
        )
        logger.error("instance '%s': %s", instance_id, message)
        return FailureDetails("PayloadSizeExceeded", message, non_retryable=True)


def _whose(
    kind: type[wire.WorkflowResponseAddress] | type[wire.ActivityResponseAddress], data: bytes
) -> wire.WorkflowResponseAddress | wire.ActivityResponseAddress | None:
    """Return whose an answer is that cannot be read, if at least that can be."""
    try:
        return kind.FromString(data)
    except DecodeError:
        return None


def _lacks_activity(answer: ActivityAnswer) -> bool:
    """Whether the worker says that it has no activity of this name."""
    if not isinstance(answer, wire.ActivityResponse):
        return False
    return answer.failure_details.error_type.rpartition(".")[2] in _ACTIVITY_MISSING


def _activity_result(response: wire.ActivityResponse) -> ActivityResult:
    if response.HasField("failure_details"):
        return ActivityResult(failure=failure_of(response.failure_details))
    return ActivityResult(response.result.value if response.HasField("result") else None)
