"""Peers that send what no SDK would, or go without a word."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.message import DecodeError

from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.server.grpc.server import serve_grpc
from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.peer import OpenServer, Peer, complete, schedule

METHODS = (
    "Hello",
    "CompleteOrchestratorTask",
    "CompleteWorkflowTask",
    "CompleteActivityTask",
    "StartInstance",
    "GetInstance",
    "WaitForInstanceStart",
    "WaitForInstanceCompletion",
    "RaiseEvent",
    "TerminateInstance",
    "SuspendInstance",
    "ResumeInstance",
    "PurgeInstances",
    "ListInstanceIDs",
    "GetInstanceHistory",
    "RerunWorkflowFromEvent",
)


@pytest.mark.parametrize("method", METHODS)
async def test_random_bytes_do_not_harm_the_server(
    channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    chance = random.Random(method)  # noqa: S311 - to be the same every time
    call: Any = channel.unary_unary(f"/TaskHubSidecarService/{method}")
    codes = set()
    allowed = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
    patience = 30.0
    if method == "WaitForInstanceStart":
        # What nobody has started is waited for.
        patience = 0.1
        allowed.add(grpc.StatusCode.DEADLINE_EXCEEDED)
    for _ in range(60):
        try:
            await call(chance.randbytes(chance.randrange(60)), timeout=patience)
        except grpc.aio.AioRpcError as error:
            codes.add(error.code())
    assert grpc.StatusCode.INVALID_ARGUMENT in codes
    assert codes <= allowed
    if method.startswith("Complete"):
        # What a worker has answered is missed, so that it cannot be read is told; but not 60 times.
        lines = [record.getMessage() for record in caplog.records]
        assert 0 < len(lines) <= 20
        assert all(line.startswith("refused an answer ") for line in lines)
    else:
        assert not caplog.records
    await Peer(channel).ask("Hello", taskhub.Nothing(), taskhub.Nothing)


async def test_random_bytes_open_no_stream(
    channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random("GetWorkItems")  # noqa: S311 - to be the same every time
    call: Any = channel.unary_stream("/TaskHubSidecarService/GetWorkItems")
    refused = 0
    for _ in range(100):
        data = chance.randbytes(chance.randrange(1, 60))
        try:
            taskhub.GetWorkItemsRequest.FromString(data)
        except DecodeError:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await call(data, timeout=30).read()
            assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            refused += 1
    assert refused > 50
    assert not caplog.records


async def test_a_message_over_the_limit_is_refused_and_harms_nobody(
    open_server: OpenServer,
) -> None:
    async with (
        open_server(max_message_bytes=1000) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        peer = Peer(channel)
        worker = peer.worker()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await peer.start("chain", "large", input="1" * 1001)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await peer.start("chain")
        await worker.decide(await worker.turn(), complete(1, "1"))
        assert (await peer.ended()).output.value == "1"


async def test_answers_to_what_was_never_asked_are_dropped(channel: grpc.aio.Channel) -> None:
    peer = Peer(channel)
    worker = peer.worker()
    await peer.start("chain")
    item = await worker.turn()
    for token in ("", "stale", item.completion_token):
        answer = taskhub.WorkflowResponse(
            instance_id="other", actions=[complete(1, '"no"')], completion_token=token
        )
        await peer.ask("CompleteWorkflowTask", answer, taskhub.Nothing)
        result = taskhub.ActivityResponse(instance_id="one", task_id=0, completion_token=token)
        await peer.ask("CompleteActivityTask", result, taskhub.Nothing)
    await worker.decide(item, complete(1, '"yes"'))
    assert (await peer.ended()).output.value == '"yes"'


async def test_actions_that_make_no_sense_fail_the_instance(channel: grpc.aio.Channel) -> None:
    peer = Peer(channel)
    worker = peer.worker()
    timer = taskhub.CreateTimerAction()
    timer.fire_at.seconds = -(2**62)
    nonsense = {
        "nothing": taskhub.WorkflowAction(id=1),
        "an end that is none": complete(1, "1", status=0),
        "no status": complete(1, "1", status=99),
    }
    for number, action in enumerate(nonsense.values()):
        await peer.start("chain", f"nonsense-{number}")
        await worker.decide(await worker.turn(), action)
        ended = await peer.ended(f"nonsense-{number}")
        assert ended.failure_details.error_type == "InvalidRequest"
    await peer.start("chain", "timer")
    await worker.decide(await worker.turn(), taskhub.WorkflowAction(id=1, create_timer=timer))
    assert (await worker.turn()).workflow_request.new_events[1].HasField("timer_fired")


async def test_nothing_is_left_of_workers_that_are_gone(tmp_path: Path) -> None:
    metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    executors = RemoteExecutors()
    async with (
        Runtime.open([spec], executor=executors.make) as runtime,
        serve_grpc(runtime, executors, port=0, grace_seconds=0) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        peer = Peer(channel)
        queue = executors.queue("orders")
        await peer.start("chain")
        for _ in range(50):
            worker = peer.worker()
            await worker.turn()
            assert queue.connected == 1
            worker.hang_up()
            while queue.connected:  # noqa: ASYNC110 - gRPC gives no sign
                await asyncio.sleep(0)
        last = peer.worker()
        await last.decide(await last.turn(), schedule(1, "step"))
        await last.result(await last.activity(), "1")
        await last.decide(await last.turn(), complete(2, "1"))
        await peer.ended()
        assert queue.connected == 1
