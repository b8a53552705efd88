"""What a server that is told to stop still takes over gRPC."""

from __future__ import annotations

import asyncio

import grpc.aio
import pytest
from google.protobuf.empty_pb2 import Empty

from flowyard.wire.v1 import management_pb2 as management
from wire.grpc.peer import OpenServer, Peer


async def test_new_calls_are_refused_and_answers_of_workers_taken(
    open_server: OpenServer,
) -> None:
    stopping = asyncio.Event()
    async with (
        open_server(stopping=stopping) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("chain")
        turn = await worker.turn()
        stopping.set()
        for asking in (
            peer.start("chain", instance_id="two"),
            peer.manage("GetMetadata", Empty(), management.GetMetadataResponse),
            Peer(channel).worker().item(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await asking
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "the server is stopping" in str(refused.value.details())
        await worker.decide(turn)
