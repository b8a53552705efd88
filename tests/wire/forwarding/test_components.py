"""Calls for components that are not ours reach the daprd, whatever their block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc.aio
import httpx
import pytest
from google.protobuf.empty_pb2 import Empty

from flowyard.config import ComponentSpec
from flowyard.server.server import Served
from flowyard.wire.v1 import bindings_pb2 as bindings
from flowyard.wire.v1 import invocation_pb2 as invocation
from flowyard.wire.v1 import pubsub_pb2 as pubsub
from flowyard.wire.v1 import secrets_pb2 as secrets
from flowyard.wire.v1 import state_pb2 as state
from wire.forwarding.conftest import Serve
from wire.forwarding.daprd import GrpcDaprd, HttpDaprd

# One of ours of each block, and one whose type nobody here has.
COMPONENTS = (
    ComponentSpec("ours", "state.in-memory"),
    ComponentSpec("dynamo", "state.aws.dynamodb"),
    ComponentSpec("environment", "secretstores.local.env"),
    ComponentSpec("vault", "secretstores.hashicorp.vault"),
    ComponentSpec("tick", "bindings.cron", metadata={"schedule": "@yearly"}),
    ComponentSpec("mail", "bindings.smtp"),
    ComponentSpec("bus", "pubsub.in-memory"),
    ComponentSpec("kafka", "pubsub.kafka"),
)


@pytest.fixture
async def beside(serve: Serve, daprd: HttpDaprd, grpc_side: GrpcDaprd) -> AsyncIterator[Served]:
    """A server with these components beside the daprd."""
    place = f"{daprd.url},grpc://{grpc_side.address}"
    async with serve(components=COMPONENTS, dapr=place) as served:
        yield served


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1.0/state/{}/k"),
        ("DELETE", "/v1.0/state/{}/k?metadata.a=b"),
        ("POST", "/v1.0/state/{}"),
        ("PUT", "/v1.0/state/{}/bulk"),
        ("POST", "/v1.0/state/{}/transaction"),
        ("POST", "/v1.0-alpha1/state/{}/query"),
        ("GET", "/v1.0/secrets/{}/k"),
        ("GET", "/v1.0/secrets/{}/bulk"),
        ("POST", "/v1.0/bindings/{}"),
        ("PUT", "/v1.0/bindings/{}"),
        ("POST", "/v1.0/publish/{}/a/b"),
        ("PUT", "/v1.0-alpha1/publish/bulk/{}/a"),
        ("PATCH", "/v1.0/invoke/{}/method/a/b"),
    ],
)
async def test_over_http(beside: Served, daprd: HttpDaprd, method: str, path: str) -> None:
    unserved = {"secrets": "vault", "bindings": "mail", "publish": "kafka"}.get(
        path.split("/")[2], "dynamo"
    )
    async with httpx.AsyncClient(base_url=beside.http) as http:
        for name in ("unknown", unserved):
            asking = asyncio.create_task(
                http.request(method, path.format(name), content=b"not JSON")
            )
            call = await daprd.next()
            assert (call.method, call.target.decode()) == (method, path.format(name))
            assert await call.body() == b"not JSON"
            await call.answer(299, body=b"theirs")
            answer = await asking
            assert (answer.status_code, answer.content) == (299, b"theirs")


async def test_a_call_by_a_header_is_forwarded_over_http(beside: Served, daprd: HttpDaprd) -> None:
    async with httpx.AsyncClient(base_url=beside.http) as http:
        asking = asyncio.create_task(http.get("/orders", headers={"dapr-app-id": "shop"}))
        call = await daprd.next()
        assert (call.target, call.header(b"dapr-app-id")) == (b"/orders", [b"shop"])
        await call.answer()
        assert (await asking).status_code == 200


@pytest.mark.parametrize(
    ("method", "unserved", "request_of"),
    [
        ("GetState", "dynamo", lambda name: state.GetStateRequest(store_name=name)),
        ("GetBulkState", "dynamo", lambda name: state.GetBulkStateRequest(store_name=name)),
        (
            "SaveState",
            "dynamo",
            lambda name: state.SaveStateRequest(
                store_name=name,
                states=[state.StateItem(value=b"{", metadata={"contentType": "application/json"})],
            ),
        ),
        ("DeleteState", "dynamo", lambda name: state.DeleteStateRequest(store_name=name)),
        ("DeleteBulkState", "dynamo", lambda name: state.SaveStateRequest(store_name=name)),
        (
            "ExecuteStateTransaction",
            "dynamo",
            # The name of the store is the first field here, too.
            lambda name: state.GetStateRequest(store_name=name),
        ),
        ("QueryStateAlpha1", "dynamo", lambda name: state.GetStateRequest(store_name=name)),
        ("GetSecret", "vault", lambda name: secrets.GetSecretRequest(store_name=name)),
        ("GetBulkSecret", "vault", lambda name: secrets.GetBulkSecretRequest(store_name=name)),
        ("InvokeBinding", "mail", lambda name: bindings.InvokeBindingRequest(name=name)),
        ("PublishEvent", "kafka", lambda name: pubsub.PublishEventRequest(pubsub_name=name)),
        (
            "BulkPublishEventAlpha1",
            "kafka",
            lambda name: pubsub.BulkPublishRequest(pubsub_name=name, topic="orders"),
        ),
        ("InvokeService", "shop", lambda name: invocation.InvokeServiceRequest(id=name)),
    ],
)
async def test_over_grpc(
    beside: Served,
    grpc_side: GrpcDaprd,
    method: str,
    unserved: str,
    request_of: Callable[[str], Any],
) -> None:
    path = f"/dapr.proto.runtime.v1.Dapr/{method}"
    async with grpc.aio.insecure_channel(beside.grpc or "") as channel:
        for name in ("unknown", unserved):
            sent = request_of(name).SerializeToString()
            calling: Any = channel.unary_unary(path)(sent, timeout=30)
            call = await grpc_side.next()
            assert (call.method, await call.read()) == (path, sent)
            await call.context.write(b"theirs")
            call.end()
            assert await calling == b"theirs"


@pytest.mark.parametrize("name", ["unknown", "kafka"])
async def test_a_stream_of_events(beside: Served, grpc_side: GrpcDaprd, name: str) -> None:
    path = "/dapr.proto.runtime.v1.Dapr/SubscribeTopicEventsAlpha1"
    asked = pubsub.SubscribeInitialRequest(pubsub_name=name, topic="orders")
    sent = pubsub.SubscribeRequest(initial_request=asked).SerializeToString()
    async with grpc.aio.insecure_channel(beside.grpc or "") as channel:
        make: Any = channel.stream_stream(path)
        stream = make()
        await stream.write(sent)
        call = await grpc_side.next()
        assert (call.method, await call.read()) == (path, sent)
        await call.context.write(b"an event")
        assert await stream.read() == b"an event"
        await stream.write(b"an answer")
        assert await call.read() == b"an answer"
        call.end()
        assert await stream.read() is grpc.aio.EOF


async def test_what_is_ours_is_not_forwarded(
    beside: Served, daprd: HttpDaprd, grpc_side: GrpcDaprd
) -> None:
    async with (
        httpx.AsyncClient(base_url=beside.http) as http,
        grpc.aio.insecure_channel(beside.grpc or "") as channel,
    ):
        assert (await http.get("/v1.0/state/ours/k")).status_code == 204
        assert (await http.get("/v1.0/secrets/environment/NOT_SET")).json() == {"NOT_SET": ""}
        assert (await http.post("/v1.0/publish/bus/orders", content=b"1")).status_code == 204
        assert (await http.post("/v1.0/bindings/tick", content=b"{}")).status_code == 500
        save: Any = channel.unary_unary(
            "/dapr.proto.runtime.v1.Dapr/SaveState",
            state.SaveStateRequest.SerializeToString,
            Empty.FromString,
        )
        items = [state.StateItem(key="k", value=b"1")]
        await save(state.SaveStateRequest(store_name="ours", states=items), timeout=30)
    assert daprd.calls.empty()
    assert grpc_side.calls.empty()
