"""What Dapr has and is not served here is refused in Dapr's words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.empty_pb2 import Empty
from httpx import AsyncClient

from flowyard.config import ComponentSpec
from flowyard.server.http.server import Address
from flowyard.server.server import ServerOptions, open_server
from flowyard.wire.v1 import management_pb2 as management
from wire.grpc.peer import Peer

UNCONFIGURED = grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("method", "code", "text"),
    [
        ("SaveState", UNCONFIGURED, "state store stuff is not configured"),
        ("GetState", UNCONFIGURED, "state store stuff is not configured"),
        ("PublishEvent", UNCONFIGURED, "pubsub stuff is not configured"),
        ("GetSecret", UNCONFIGURED, "secret store is not configured"),
        ("InvokeBinding", grpc.StatusCode.INTERNAL, "couldn't find output binding stuff"),
        ("InvokeService", grpc.StatusCode.INTERNAL, "failed to invoke, id: stuff"),
        ("TryLockAlpha1", grpc.StatusCode.UNIMPLEMENTED, "TryLockAlpha1 is not served here"),
    ],
)
async def test_a_block_that_is_not_configured_says_so(
    channel: grpc.aio.Channel, method: str, code: grpc.StatusCode, text: str
) -> None:
    request = management.BlockRequest(name="stuff")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await Peer(channel).manage(method, request, Empty)
    assert caught.value.code() is code
    assert text in (caught.value.details() or "")


@pytest.mark.parametrize("sent", [b"", b"\xff\xff", b"\x0a\x03\xff\xfe\xfd"])
async def test_a_request_that_cannot_be_read_is_refused_too(
    channel: grpc.aio.Channel, sent: bytes
) -> None:
    call: Any = channel.unary_unary("/dapr.proto.runtime.v1.Dapr/TryLockAlpha1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(sent, timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_streams_are_refused_too(channel: grpc.aio.Channel) -> None:
    call: Any = channel.stream_stream("/dapr.proto.runtime.v1.Dapr/SubscribeTopicEventsAlpha1")
    stream = call()
    await stream.write(b"")
    with pytest.raises(grpc.aio.AioRpcError, match="pubsub is not configured"):
        await stream.read()
    subscribe: Any = channel.unary_stream("/dapr.proto.runtime.v1.Dapr/SubscribeConfiguration")
    with pytest.raises(grpc.aio.AioRpcError, match="SubscribeConfiguration is not served here"):
        await subscribe(b"").read()


async def test_a_method_of_another_service_is_not_ours_to_refuse(channel: grpc.aio.Channel) -> None:
    call: Any = channel.unary_unary("/other.Service/Method")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"", timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_metadata_are_set_and_the_server_is_ended_by_either_face(tmp_path: Path) -> None:
    metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    options = ServerOptions([spec], Address(port=0, drain_seconds=0), grpc_port=0)
    stopping = asyncio.Event()
    async with (
        open_server(options, None, stopping) as served,
        AsyncClient(base_url=served.http) as http,
        grpc.aio.insecure_channel(served.grpc or "") as channel,
    ):
        peer = Peer(channel)
        request = management.SetMetadataRequest(key="colour", value="blue")
        await peer.manage("SetMetadata", request, Empty)
        assert (await http.get("/v1.0/metadata")).json()["extended"] == {"colour": "blue"}
        await http.put("/v1.0/metadata/size", content="7")
        told = await peer.manage("GetMetadata", Empty(), management.GetMetadataResponse)
        assert dict(told.extended_metadata) == {"colour": "blue", "size": "7"}
        for number in range(98):
            await peer.manage("SetMetadata", management.SetMetadataRequest(key=str(number)), Empty)
        with pytest.raises(grpc.aio.AioRpcError, match="100 values already") as caught:
            await peer.manage("SetMetadata", management.SetMetadataRequest(key="more"), Empty)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert not stopping.is_set()
        await peer.manage("Shutdown", Empty(), Empty)
        assert stopping.is_set()


async def test_a_program_that_serves_is_not_ended_by_callers(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await Peer(channel).manage("Shutdown", Empty(), Empty)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
