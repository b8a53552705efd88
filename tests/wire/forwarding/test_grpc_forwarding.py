"""What is not served here reaches a daprd over gRPC as it was sent, and so does the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
import pytest
from google.protobuf.empty_pb2 import Empty

from flowyard.wire.v1 import management_pb2 as management
from wire.forwarding.conftest import Serve
from wire.forwarding.daprd import PATIENCE, GrpcDaprd
from wire.grpc.peer import Peer

DAPR = "/dapr.proto.runtime.v1.Dapr"
LARGE = bytes(range(256)) * (10 * 4096)


async def test_a_call_of_one_message_reaches_the_daprd_and_its_answer_the_caller(
    channel: grpc.aio.Channel, grpc_side: GrpcDaprd
) -> None:
    make: Any = channel.unary_unary(f"{DAPR}/TryLockAlpha1")
    metadata = (("dapr-api-token", "mine"), ("x-two", "a"), ("x-two", "b"), ("k-bin", b"\x00\xff"))
    asking = make(b"\xff\x00not a message", metadata=metadata, timeout=PATIENCE)
    call = await grpc_side.next()
    assert call.method == f"{DAPR}/TryLockAlpha1"
    assert await call.requests() == [b"\xff\x00not a message"]
    given = [pair for pair in call.metadata if pair[0] != "user-agent"]
    assert sorted(given, key=str) == [
        ("dapr-api-token", "theirs"),
        ("k-bin", b"\x00\xff"),
        ("x-two", "a"),
        ("x-two", "b"),
    ]
    assert [key for key, _ in call.metadata].count("user-agent") == 1
    assert 0 < call.context.time_remaining() < 2 * PATIENCE
    await call.context.send_initial_metadata((("first", "1"), ("raw-bin", b"\xfe")))
    await call.context.write(b"\x00answer\xff")
    call.context.set_trailing_metadata((("last", "2"),))
    call.end()
    assert await asking == b"\x00answer\xff"
    assert {("first", "1"), ("raw-bin", b"\xfe")} <= set(await asking.initial_metadata())
    assert ("last", "2") in set(await asking.trailing_metadata())


async def test_an_error_comes_back_with_its_details(
    channel: grpc.aio.Channel, grpc_side: GrpcDaprd
) -> None:
    make: Any = channel.unary_unary(f"{DAPR}/TryLockAlpha1")
    asking = make(b"", timeout=PATIENCE)
    call = await grpc_side.next()
    details = (("grpc-status-details-bin", b"\x08\x0a\x12\x01x"), ("more", "1"))
    call.end(grpc.StatusCode.ABORTED, "possible etag mismatch — é", details)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asking
    assert caught.value.code() is grpc.StatusCode.ABORTED
    assert caught.value.details() == "possible etag mismatch — é"
    assert set(details) <= set(caught.value.trailing_metadata())


async def test_messages_stream_both_ways(channel: grpc.aio.Channel, grpc_side: GrpcDaprd) -> None:
    make: Any = channel.stream_stream(f"{DAPR}/EncryptAlpha1")
    stream = make()
    await stream.write(b"subscribe")
    call = await grpc_side.next()
    assert await call.read() == b"subscribe"
    for number in range(3):
        await call.context.write(f"event {number}".encode())
        assert await stream.read() == f"event {number}".encode()
        await stream.write(f"done {number}".encode())
        assert await call.read() == f"done {number}".encode()
    await stream.done_writing()
    assert await call.requests() == []
    call.end(grpc.StatusCode.OUT_OF_RANGE, "no more")
    assert await stream.code() is grpc.StatusCode.OUT_OF_RANGE
    assert await stream.details() == "no more"


async def test_what_was_sent_before_an_error_is_not_lost(
    channel: grpc.aio.Channel, grpc_side: GrpcDaprd
) -> None:
    make: Any = channel.unary_stream(f"{DAPR}/SubscribeConfiguration")
    stream = make(b"")
    call = await grpc_side.next()
    for number in range(50):
        await call.context.write(bytes([number]))
    call.end(grpc.StatusCode.INTERNAL, "over")
    assert [await stream.read() for _ in range(50)] == [bytes([number]) for number in range(50)]
    with pytest.raises(grpc.aio.AioRpcError, match="over"):
        await stream.read()


async def test_large_messages_are_whole(channel: grpc.aio.Channel, grpc_side: GrpcDaprd) -> None:
    make: Any = channel.unary_unary(f"{DAPR}/TryLockAlpha1")
    asking = make(LARGE, timeout=PATIENCE)
    call = await grpc_side.next()
    assert await call.requests() == [LARGE]
    await call.context.write(LARGE[::-1])
    call.end()
    assert await asking == LARGE[::-1]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_caller_that_cancels_ends_the_call_of_the_daprd(
    channel: grpc.aio.Channel, grpc_side: GrpcDaprd, *, begun: bool
) -> None:
    make: Any = channel.stream_stream(f"{DAPR}/EncryptAlpha1")
    stream = make()
    await stream.write(b"subscribe")
    call = await grpc_side.next()
    if begun:
        await call.context.write(b"event")
        assert await stream.read() == b"event"
    stream.cancel()
    async with asyncio.timeout(PATIENCE):
        await call.gone.wait()


async def test_a_deadline_goes_with_the_call(
    channel: grpc.aio.Channel, grpc_side: GrpcDaprd
) -> None:
    make: Any = channel.unary_unary(f"{DAPR}/TryLockAlpha1")
    asking = make(b"", timeout=2)
    call = await grpc_side.next()
    assert call.context.time_remaining() < PATIENCE
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asking
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(PATIENCE):
        await call.gone.wait()


async def test_services_of_other_apps_are_forwarded(
    channel: grpc.aio.Channel, grpc_side: GrpcDaprd
) -> None:
    make: Any = channel.unary_unary("/shop.Orders/Get")
    asking = make(b"7", metadata=(("dapr-app-id", "shop"),), timeout=PATIENCE)
    call = await grpc_side.next()
    assert (call.method, await call.read()) == ("/shop.Orders/Get", b"7")
    assert ("dapr-app-id", "shop") in call.metadata
    await call.context.write(b"order 7")
    call.end()
    assert await asking == b"order 7"


async def test_what_is_ours_is_never_forwarded(
    channel: grpc.aio.Channel, grpc_side: GrpcDaprd
) -> None:
    peer = Peer(channel)
    told = await peer.manage("GetMetadata", Empty(), management.GetMetadataResponse)
    assert [component.name for component in told.registered_components] == ["orders"]
    unknown = management.WorkflowRequestById(instance_id="one", workflow_component="away")
    with pytest.raises(grpc.aio.AioRpcError):
        await peer.manage("GetWorkflowBeta1", unknown, Empty)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await peer.ask("CreateTaskHub", Empty(), Empty)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert grpc_side.calls.empty()


async def test_the_token_of_the_server_is_wanted_first(serve: Serve, grpc_side: GrpcDaprd) -> None:
    dapr = f"grpc://{grpc_side.address}"
    async with (
        serve(token="ours", dapr=dapr) as served,  # noqa: S106
        grpc.aio.insecure_channel(served.grpc or "") as channel,
    ):
        make: Any = channel.unary_unary(f"{DAPR}/TryLockAlpha1")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await make(b"", timeout=PATIENCE)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert grpc_side.calls.empty()
        asking = make(b"", metadata=(("dapr-api-token", "ours"),), timeout=PATIENCE)
        call = await grpc_side.next()
        assert "dapr-api-token" not in dict(call.metadata)
        await call.context.write(b"")
        call.end()
        await asking


async def test_a_daprd_that_is_away_is_named(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        serve(dapr="grpc://127.0.0.1:1") as served,
        grpc.aio.insecure_channel(served.grpc or "") as channel,
    ):
        for method in (f"{DAPR}/TryLockAlpha1", "/a.B/C"):
            call: Any = channel.unary_unary(method)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(b"", timeout=PATIENCE)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            told = caught.value.details() or ""
            assert "the daprd at grpc://127.0.0.1:1, which --dapr names, does not answer" in told
    assert "TryLockAlpha1 from" in caplog.text


async def test_an_error_of_the_daprd_that_says_unavailable_is_its_own(
    channel: grpc.aio.Channel, grpc_side: GrpcDaprd
) -> None:
    make: Any = channel.unary_unary(f"{DAPR}/TryLockAlpha1")
    asking = make(b"", timeout=PATIENCE)
    (await grpc_side.next()).end(grpc.StatusCode.UNAVAILABLE, "the shop is closed")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asking
    assert caught.value.details() == "the shop is closed"
