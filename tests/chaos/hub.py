"""The other end of the wire: what clients and workers of any SDK say, without an SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import grpc.aio
from google.protobuf import text_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue

from flowyard.wire.v1 import taskhub_pb2 as wire

M = TypeVar("M", bound=Message)

STATUSES = (
    "RUNNING",
    "COMPLETED",
    "CONTINUED_AS_NEW",
    "FAILED",
    "CANCELED",
    "TERMINATED",
    "PENDING",
    "SUSPENDED",
    "STALLED",
)
CLOSED = frozenset({"COMPLETED", "FAILED", "CANCELED", "TERMINATED"})
COMPLETED, CONTINUED_AS_NEW, FAILED = 1, 2, 3
HEALTH_PING = 3
_LONGEST_SHOWN = 1_000
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A connection of its own for each channel, as for each program.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
)


def text(value: str | None) -> StringValue | None:
    """Return a text that may be absent."""
    return None if value is None else StringValue(value=value)


def shown(message: object) -> str:
    """Return a message, or whatever else was noted, in one line."""
    if not isinstance(message, Message | bytes):
        return str(message)
    if isinstance(message, bytes):
        return repr(message)
    return text_format.MessageToString(message, as_one_line=True)[:_LONGEST_SHOWN]


def channel_to(address: str) -> grpc.aio.Channel:
    """Return a connection to a server, not shared with others."""
    return grpc.aio.insecure_channel(address, options=_OPTIONS)


class Hub:
    """One connection to a server, by a channel of its own."""

    def __init__(
        self, channel: Any, patience: float = 30.0, trace: Callable[..., None] | None = None
    ) -> None:
        self._channel = channel
        self._patience = patience
        self._trace = trace

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close()

    async def ask(self, method: str, request: Message | bytes, answer: type[M]) -> M:
        """Call a method; bytes are sent as they are."""
        data = request if isinstance(request, bytes) else request.SerializeToString()
        call: Any = self._channel.unary_unary(
            f"/TaskHubSidecarService/{method}", response_deserializer=answer.FromString
        )
        self._note(method, request)
        try:
            result: M = await call(data, timeout=self._patience)
        except grpc.aio.AioRpcError as error:
            self._note(method, request, f"-> {error.code().name}: {error.details()}")
            raise
        self._note(method, request, "->", result)
        return result

    def _note(self, *parts: object) -> None:
        if self._trace is not None:
            self._trace(*parts)

    def items(self, *capabilities: int) -> Any:
        """Open a worker's stream; iterate over it for work, cancel it to leave."""
        call: Any = self._channel.unary_stream(
            "/TaskHubSidecarService/GetWorkItems",
            response_deserializer=wire.WorkItem.FromString,
        )
        request = wire.GetWorkItemsRequest(capabilities=capabilities)
        return call(request.SerializeToString(), wait_for_ready=True)

    async def start(
        self, workflow: str, instance_id: str, input: str, *, unique: bool = False
    ) -> None:
        """Start a workflow."""
        request = wire.CreateInstanceRequest(
            instance_id=instance_id,
            name=workflow,
            input=text(input),
            enforce_unique_instance_id=unique,
        )
        await self.ask("StartInstance", request, wire.CreateInstanceResponse)

    async def state(self, instance_id: str) -> wire.WorkflowState | None:
        """Return the state of an instance; None if there is none."""
        request = wire.GetInstanceRequest(instance_id=instance_id, get_inputs_and_outputs=True)
        answer = await self.ask("GetInstance", request, wire.GetInstanceResponse)
        return answer.workflow_state if answer.exists else None

    async def closed(self, instance_id: str) -> wire.WorkflowState | None:
        """Return the state once the instance has closed."""
        request = wire.GetInstanceRequest(instance_id=instance_id, get_inputs_and_outputs=True)
        answer = await self.ask("WaitForInstanceCompletion", request, wire.GetInstanceResponse)
        return answer.workflow_state if answer.exists else None

    async def history(self, instance_id: str) -> Sequence[wire.HistoryEvent]:
        """Return the committed events of the current execution."""
        request = wire.GetInstanceHistoryRequest(instance_id=instance_id)
        answer = await self.ask("GetInstanceHistory", request, wire.GetInstanceHistoryResponse)
        return list(answer.events)

    async def raise_event(self, instance_id: str, name: str, data: str) -> None:
        """Raise an event."""
        request = wire.RaiseEventRequest(instance_id=instance_id, name=name, input=text(data))
        await self.ask("RaiseEvent", request, wire.Nothing)

    async def pause(self, instance_id: str) -> None:
        """Pause an instance."""
        await self.ask(
            "SuspendInstance", wire.SuspendRequest(instance_id=instance_id), wire.Nothing
        )

    async def resume(self, instance_id: str) -> None:
        """Resume an instance."""
        await self.ask("ResumeInstance", wire.ResumeRequest(instance_id=instance_id), wire.Nothing)

    async def terminate(self, instance_id: str, *, recursive: bool = True) -> None:
        """Terminate an instance."""
        request = wire.TerminateRequest(instance_id=instance_id, recursive=recursive)
        await self.ask("TerminateInstance", request, wire.Nothing)

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        """Purge an instance; return how many were removed."""
        request = wire.PurgeInstancesRequest(instance_id=instance_id, recursive=recursive)
        answer = await self.ask("PurgeInstances", request, wire.PurgeInstancesResponse)
        return answer.deleted_instance_count

    async def rerun(self, source: str, event_id: int, instance_id: str) -> None:
        """Start a copy of a closed instance from one of its events."""
        request = wire.RerunWorkflowFromEventRequest(
            source_instance_id=source, event_id=event_id, new_instance_id=instance_id
        )
        await self.ask("RerunWorkflowFromEvent", request, wire.RerunWorkflowFromEventResponse)

    async def answer(
        self, instance_id: str, token: str, actions: Iterable[wire.WorkflowAction]
    ) -> None:
        """Answer a turn."""
        response = wire.WorkflowResponse(
            instance_id=instance_id, actions=actions, completion_token=token
        )
        await self.ask("CompleteOrchestratorTask", response, wire.Nothing)

    async def lacks_activity(self, instance_id: str, task_id: int, token: str) -> None:
        """Say that there is no activity of that name."""
        response = wire.ActivityResponse(
            instance_id=instance_id, task_id=task_id, completion_token=token
        )
        response.failure_details.error_type = "ActivityNotFoundException"
        await self.ask("CompleteActivityTask", response, wire.Nothing)

    async def result(self, instance_id: str, task_id: int, token: str, result: str) -> None:
        """Answer an activity."""
        response = wire.ActivityResponse(
            instance_id=instance_id, task_id=task_id, result=text(result), completion_token=token
        )
        await self.ask("CompleteActivityTask", response, wire.Nothing)


def status_of(state: wire.WorkflowState) -> str:
    """Return the name of a status."""
    return STATUSES[state.workflow_status]


def schedule(id: int, name: str, input: str = "") -> wire.WorkflowAction:
    """Ask for an activity."""
    action = wire.ScheduleTaskAction(name=name, input=text(input))
    return wire.WorkflowAction(id=id, schedule_task=action)


def child(id: int, name: str, instance_id: str = "", input: str = "") -> wire.WorkflowAction:
    """Ask for a child workflow."""
    action = wire.CreateChildWorkflowAction(name=name, instance_id=instance_id, input=text(input))
    return wire.WorkflowAction(id=id, create_child_workflow=action)


def detached(
    id: int, name: str, instance_id: str, input: str, start_at: float | None = None
) -> wire.WorkflowAction:
    """Ask for a workflow that is nobody's child; it may begin later."""
    action = wire.CreateDetachedWorkflowAction(
        name=name, instance_id=instance_id, input=text(input)
    )
    if start_at is not None:
        action.scheduled_start_timestamp.FromMicroseconds(int(start_at * 1e6))
    return wire.WorkflowAction(id=id, create_detached_workflow=action)


def timer(id: int, at: float) -> wire.WorkflowAction:
    """Ask for a timer, at seconds since 1970."""
    stamp = Timestamp(seconds=int(at), nanos=int(at % 1 * 1e9))
    return wire.WorkflowAction(id=id, create_timer=wire.CreateTimerAction(fire_at=stamp))


def send(id: int, target: str, name: str, data: str) -> wire.WorkflowAction:
    """Send an event to an instance."""
    instance = wire.WorkflowInstance(instance_id=target)
    action = wire.SendEventAction(instance=instance, name=name, data=text(data))
    return wire.WorkflowAction(id=id, send_event=action)


def complete(id: int, result: str, status: int = COMPLETED) -> wire.WorkflowAction:
    """End the execution."""
    action = wire.CompleteWorkflowAction(workflow_status=status, result=text(result))
    if status == FAILED:
        action.failure_details.error_type = "Failed"
        action.failure_details.error_message = result
    return wire.WorkflowAction(id=id, complete_workflow=action)


def continue_as_new(
    id: int, input: str, carried: Iterable[tuple[str, str]] = ()
) -> wire.WorkflowAction:
    """Begin again with a new input; events are carried over by name and data."""
    action = wire.CompleteWorkflowAction(
        workflow_status=CONTINUED_AS_NEW,
        result=text(input),
        carryover_events=[
            wire.HistoryEvent(
                event_id=-1, event_raised=wire.EventRaised(name=name, input=text(data))
            )
            for name, data in carried
        ],
    )
    return wire.WorkflowAction(id=id, complete_workflow=action)


def lacks_workflow(id: int = 1) -> wire.WorkflowAction:
    """Say that there is no workflow of that name."""
    action = complete(id, "", FAILED)
    action.complete_workflow.failure_details.error_type = "WorkflowNotFound"
    return action


def version_not_available(id: int = 1) -> wire.WorkflowAction:
    """Say that the worker's code does not fit."""
    return wire.WorkflowAction(id=id, workflow_version_not_available=wire.Nothing())
