"""What the transport is told: nothing is refused at random, and what has died is found out."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.server.grpc.server import serve_grpc
from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.peer import PATIENCE, OpenServer, Peer, complete
from wire.grpc.test_dead_streams import Line, until_connected

# More than twice what gRPC lets wait by default, so that it would drop some.
_MANY = 7000


async def test_thousands_of_calls_at_once_are_all_answered(address: str) -> None:
    request = taskhub.GetInstanceRequest(instance_id="nobody").SerializeToString()
    channels = [
        grpc.aio.insecure_channel(address, options=[("connection", number)]) for number in range(4)
    ]
    calls: list[Any] = [
        channel.unary_unary("/TaskHubSidecarService/GetInstance") for channel in channels
    ]

    async def code(number: int) -> grpc.StatusCode:
        try:
            await calls[number % len(calls)](request)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    codes = Counter(await asyncio.gather(*(code(number) for number in range(_MANY))))
    for channel in channels:
        await channel.close()
    assert codes == {grpc.StatusCode.OK: _MANY}


async def test_what_does_not_fit_is_refused_by_name_and_answers_of_workers_never(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        open_server(max_pending_bytes=1) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("chain")
        turn = await worker.turn()
        calls = [asyncio.create_task(peer.state()) for _ in range(50)]
        deciding = asyncio.create_task(worker.decide(turn, complete(1, "1")))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        refused = {answer.code() for answer in answers if isinstance(answer, grpc.aio.AioRpcError)}
        assert refused == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert "refused get_instance" in caplog.text
        await deciding
        assert (await peer.ended()).output.value == "1"


async def test_a_worker_that_stands_still_is_found_out(tmp_path: Path) -> None:
    metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    executors = RemoteExecutors()
    async with (
        Runtime.open([spec], executor=executors.make) as runtime,
        serve_grpc(
            runtime,
            executors,
            port=0,
            grace_seconds=0,
            keepalive_seconds=0.5,
            keepalive_timeout_seconds=0.5,
        ) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        queue = executors.queue("orders")
        peer = Peer(channel)
        await peer.start("chain")
        # It has no client behind it that would answer a ping.
        frozen = await Line.connect(port)
        await frozen.work()
        await until_connected(queue, 0)
        worker = peer.worker()
        await worker.decide(await worker.turn(), complete(1, "1"))
        await peer.ended()
        frozen.close()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/TaskHubSidecarService/Hello", grpc.StatusCode.UNAUTHENTICATED),
        ("/TaskHubSidecarService/SignalEntity", grpc.StatusCode.UNIMPLEMENTED),
        ("/some.other.Service/Method", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
async def test_what_is_refused_is_told_in_the_log(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture, path: str, code: grpc.StatusCode
) -> None:
    token = "" if code is grpc.StatusCode.UNAUTHENTICATED else "right"
    async with (
        open_server(token="right") as address,  # noqa: S106
        grpc.aio.insecure_channel(address) as channel,
    ):
        call: Any = channel.unary_unary(path)
        for _ in range(30):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(b"", metadata=(("dapr-api-token", token),), timeout=PATIENCE)
            assert refused.value.code() is code
    lines = [record.getMessage() for record in caplog.records]
    assert 0 < len(lines) <= 10
    assert all(path.rpartition("/")[2] in line and "127.0.0.1" in line for line in lines)
    assert not any("right" in line for line in lines)


async def test_a_call_is_one_line_for_who_debugs(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        with caplog.at_level(logging.DEBUG, "flowyard.server.grpc.methods"):
            await Peer(channel).state("nobody")
    (record,) = [
        record for record in caplog.records if record.name == "flowyard.server.grpc.methods"
    ]
    assert record.getMessage().startswith("get_instance from ipv4:127.0.0.1:")
    assert ": OK in " in record.getMessage()
