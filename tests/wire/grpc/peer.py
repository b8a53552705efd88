"""The other end of the wire: a client and a worker as SDKs have them, without an SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import grpc.aio
from google.protobuf.message import Message

from flowyard.wire.v1 import management_pb2 as management
from flowyard.wire.v1 import taskhub_pb2 as taskhub

M = TypeVar("M", bound=Message)
OpenServer = Callable[..., AbstractAsyncContextManager[str]]

PATIENCE = 30.0
CONTINUED_AS_NEW = 2
COMPLETED = 1


class Peer:
    """One connection to the server."""

    def __init__(self, channel: grpc.aio.Channel, token: str | None = None) -> None:
        self.channel = channel
        self._metadata = (("dapr-api-token", token),) if token is not None else ()

    async def ask(self, method: str, request: Message, answer: type[M]) -> M:
        """Call a method of the task hub."""
        return await self._call(f"/TaskHubSidecarService/{method}", request, answer)

    async def manage(self, method: str, request: Message, answer: type[M]) -> M:
        """Call a method of Dapr's runtime."""
        return await self._call(f"/dapr.proto.runtime.v1.Dapr/{method}", request, answer)

    async def _call(self, path: str, request: Message, answer: type[M]) -> M:
        method: Any = self.channel.unary_unary(
            path, lambda message: message.SerializeToString(), answer.FromString
        )
        result: M = await method(request, metadata=self._metadata, timeout=PATIENCE)
        return result

    async def start(self, workflow: str, instance_id: str = "one", input: str = "1") -> None:
        """Start a workflow."""
        request = taskhub.CreateInstanceRequest(instance_id=instance_id, name=workflow)
        request.input.value = input
        await self.ask("StartInstance", request, taskhub.CreateInstanceResponse)

    async def state(self, instance_id: str = "one") -> taskhub.WorkflowState:
        """Return the state of an instance."""
        request = taskhub.GetInstanceRequest(instance_id=instance_id, get_inputs_and_outputs=True)
        answer = await self.ask("GetInstance", request, taskhub.GetInstanceResponse)
        return answer.workflow_state

    async def ended(self, instance_id: str = "one") -> taskhub.WorkflowState:
        """Return the state of an instance once it is closed."""
        request = taskhub.GetInstanceRequest(instance_id=instance_id, get_inputs_and_outputs=True)
        answer = await self.ask("WaitForInstanceCompletion", request, taskhub.GetInstanceResponse)
        return answer.workflow_state

    async def status(self, instance_id: str = "one") -> str:
        """Return what the management API says of an instance."""
        request = management.WorkflowRequestById(instance_id=instance_id, workflow_component="dapr")
        answer = await self.manage("GetWorkflowBeta1", request, management.GetWorkflowResponse)
        return answer.runtime_status

    def worker(self, *capabilities: int, sends_tokens: bool = True) -> Worker:
        """Connect as a worker."""
        return Worker(self, capabilities, sends_tokens)


class Worker:
    """A worker that does only what a test tells it to."""

    def __init__(self, peer: Peer, capabilities: Iterable[int], sends_tokens: bool) -> None:
        self._peer = peer
        self._sends_tokens = sends_tokens
        method: Any = peer.channel.unary_stream(
            "/TaskHubSidecarService/GetWorkItems",
            lambda message: message.SerializeToString(),
            taskhub.WorkItem.FromString,
        )
        self._call = method(taskhub.GetWorkItemsRequest(capabilities=capabilities))

    async def item(self) -> taskhub.WorkItem:
        """Return the next thing that the server sends."""
        async with asyncio.timeout(PATIENCE):
            item: taskhub.WorkItem = await self._call.read()
        return item

    async def turn(self) -> taskhub.WorkItem:
        """Return the next item, which is a turn."""
        item = await self.item()
        assert item.HasField("workflow_request"), item
        return item

    async def activity(self) -> taskhub.WorkItem:
        """Return the next item, which is an activity."""
        item = await self.item()
        assert item.HasField("activity_request"), item
        return item

    async def decide(self, item: taskhub.WorkItem, *actions: taskhub.WorkflowAction) -> None:
        """Answer a turn."""
        response = taskhub.WorkflowResponse(
            instance_id=item.workflow_request.instance_id,
            actions=actions,
            completion_token=item.completion_token if self._sends_tokens else "",
        )
        await self._peer.ask("CompleteOrchestratorTask", response, taskhub.Nothing)

    async def result(self, item: taskhub.WorkItem, text: str) -> None:
        """Answer an activity."""
        response = self._activity_response(item)
        response.result.value = text
        await self._peer.ask("CompleteActivityTask", response, taskhub.Nothing)

    async def failure(self, item: taskhub.WorkItem, message: str) -> None:
        """Answer an activity that has failed."""
        response = self._activity_response(item)
        response.failure_details.error_type = "ValueError"
        response.failure_details.error_message = message
        await self._peer.ask("CompleteActivityTask", response, taskhub.Nothing)

    def _activity_response(self, item: taskhub.WorkItem) -> taskhub.ActivityResponse:
        request = item.activity_request
        return taskhub.ActivityResponse(
            instance_id=request.workflow_instance.instance_id,
            task_id=request.task_id,
            completion_token=item.completion_token if self._sends_tokens else "",
        )

    def hang_up(self) -> None:
        """Leave without a word; what it was given it keeps to itself."""
        self._call.cancel()


def schedule(id: int, name: str, call: str = "") -> taskhub.WorkflowAction:
    """Ask for an activity."""
    action = taskhub.ScheduleTaskAction(name=name, task_execution_id=call)
    return taskhub.WorkflowAction(id=id, schedule_task=action)


def complete(id: int, result: str, status: int = COMPLETED) -> taskhub.WorkflowAction:
    """End the execution."""
    action = taskhub.CompleteWorkflowAction(workflow_status=status)
    action.result.value = result
    return taskhub.WorkflowAction(id=id, complete_workflow=action)


def kinds(events: Iterable[taskhub.HistoryEvent]) -> list[str]:
    """Return what kinds of events these are."""
    return [str(event.WhichOneof("event_type")) for event in events]
