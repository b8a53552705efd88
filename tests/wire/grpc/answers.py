"""Actions and answers that several tests of a worker's turns use."""

from __future__ import annotations

import asyncio

from google.protobuf.timestamp_pb2 import Timestamp

from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.peer import (
    PATIENCE,
    Peer,
)

FAILED = 3


def indefinite_wait(id: int, name: str = "go") -> taskhub.WorkflowAction:
    """Ask for the timer that SDKs from 1.18 on give a wait without an end."""
    action = taskhub.WorkflowAction(id=id)
    action.create_timer.fire_at.CopyFrom(Timestamp(seconds=253402300799, nanos=999999999))
    action.create_timer.external_event.name = name
    return action


def due_timer(id: int) -> taskhub.WorkflowAction:
    action = taskhub.WorkflowAction(id=id)
    action.create_timer.fire_at.seconds = 1
    return action


def child(id: int, instance_id: str = "", name: str = "child") -> taskhub.WorkflowAction:
    call = taskhub.CreateChildWorkflowAction(instance_id=instance_id, name=name)
    return taskhub.WorkflowAction(id=id, create_child_workflow=call)


def detached(id: int, instance_id: str) -> taskhub.WorkflowAction:
    call = taskhub.CreateDetachedWorkflowAction(instance_id=instance_id, name="aside")
    call.input.value = "7"
    return taskhub.WorkflowAction(id=id, create_detached_workflow=call)


async def raise_event(peer: Peer, instance_id: str = "one") -> None:
    request = taskhub.RaiseEventRequest(instance_id=instance_id, name="go")
    await peer.ask("RaiseEvent", request, taskhub.Nothing)


async def history(peer: Peer, instance_id: str = "one") -> list[taskhub.HistoryEvent]:
    request = taskhub.GetInstanceHistoryRequest(instance_id=instance_id)
    answer = await peer.ask("GetInstanceHistory", request, taskhub.GetInstanceHistoryResponse)
    return list(answer.events)


async def stalled(peer: Peer) -> str:
    """Return why the instance is STALLED, once it is."""
    async with asyncio.timeout(PATIENCE):
        while await peer.status() != "STALLED":  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    return (await peer.state()).failure_details.error_message


async def decide(
    peer: Peer,
    item: taskhub.WorkItem,
    *actions: taskhub.WorkflowAction,
    patches: tuple[str, ...] = (),
) -> None:
    """Answer a turn, with the patches that the code has asked for so far."""
    response = taskhub.WorkflowResponse(
        instance_id=item.workflow_request.instance_id,
        actions=actions,
        completion_token=item.completion_token,
        version=taskhub.WorkflowVersion(patches=patches),
    )
    await peer.ask("CompleteOrchestratorTask", response, taskhub.Nothing)
