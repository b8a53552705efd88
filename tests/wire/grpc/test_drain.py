"""At its end a server lets workers finish what they have in hand, and gives out no more."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import grpc.aio

from wire.grpc.peer import OpenServer, Peer, complete


async def test_what_workers_have_in_hand_is_committed_before_the_end(
    open_server: OpenServer,
) -> None:
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(open_server(grace_seconds=30))
        channel = grpc.aio.insecure_channel(address)
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("chain", "first")
        turn = await worker.turn()
        ending = asyncio.create_task(stack.pop_all().aclose())
        await peer.start("chain", "second")
        await worker.decide(turn, complete(1, '"done"'))
        await ending
        await channel.close()
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        peer = Peer(channel)
        assert await peer.status("first") == "COMPLETED"
        assert await peer.status("second") == "PENDING"
        assert (await peer.worker().turn()).workflow_request.instance_id == "second"
