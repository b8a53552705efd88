"""Waiting for a start takes as long as the start does, or the caller's deadline."""

from __future__ import annotations

import asyncio

import grpc.aio
import pytest

from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.peer import PATIENCE, Peer, complete


@pytest.fixture
def peer(channel: grpc.aio.Channel) -> Peer:
    return Peer(channel)


async def started(peer: Peer, instance_id: str, timeout: float = PATIENCE) -> int:  # noqa: ASYNC109
    """Return the status of an instance once it has started."""
    call = peer.channel.unary_unary("/TaskHubSidecarService/WaitForInstanceStart")  # type: ignore[var-annotated]
    request = taskhub.GetInstanceRequest(instance_id=instance_id, get_inputs_and_outputs=True)
    answer = await call(request.SerializeToString(), timeout=timeout)
    state = taskhub.GetInstanceResponse.FromString(answer).workflow_state
    assert state.input.value == "1"
    return state.workflow_status


async def test_nobody_knows_the_instance_until_the_deadline(peer: Peer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await started(peer, "nobody", timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_many_are_woken_by_the_first_turns_of_what_they_wait_for(peer: Peer) -> None:
    ids = [f"one-{number}" for number in range(50)]
    waiting = [asyncio.create_task(started(peer, instance_id)) for instance_id in ids]
    for instance_id in ids:
        await peer.start("chain", instance_id)
    worker = peer.worker()
    for _ in ids:
        await worker.decide(await worker.turn(), complete(1, "1"))
    assert await asyncio.gather(*waiting) == [1] * len(ids)


async def test_an_instance_that_nobody_runs_has_not_started(peer: Peer) -> None:
    await peer.start("chain")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await started(peer, "one", timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
