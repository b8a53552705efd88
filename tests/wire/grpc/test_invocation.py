"""`InvokeService`, and applications that speak gRPC (docs/protocol.md §18)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as Packed

from flowyard.server.app_channel import AppAddress
from flowyard.wire.v1 import invocation_pb2 as wire
from flowyard.wire.v1 import status_pb2 as status
from wire.app.served import Sidecar, endpoint, serving
from wire.app.service import running
from wire.app.target import Target

_METHOD = "/dapr.proto.runtime.v1.Dapr/InvokeService"


def _request(target: str, method: str, **message: Any) -> wire.InvokeServiceRequest:
    return wire.InvokeServiceRequest(
        id=target, message=wire.InvokeRequest(method=method, **message)
    )


def _invoke(sidecar: Sidecar, request: wire.InvokeServiceRequest, *metadata: Any) -> Any:
    method: Any = sidecar.grpc.unary_unary(
        _METHOD, wire.InvokeServiceRequest.SerializeToString, wire.InvokeResponse.FromString
    )
    return method(request, metadata=metadata, timeout=30)


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Sidecar]:
    async with running(Target()) as port:
        documents = [endpoint("stock", f"http://127.0.0.1:{port}/base")]
        async with serving(tmp_path, documents, Target()) as sidecar:
            yield sidecar


@pytest.mark.parametrize(("target", "base"), [("shop", ""), ("stock", "/base")])
async def test_a_message_is_a_request_over_http(sidecar: Sidecar, target: str, base: str) -> None:
    request = _request(
        target,
        "a/b?x=1",
        data=Packed(value=b"tea"),
        content_type="text/x",
        http_extension=wire.HttpExtension(verb=wire.PUT, querystring="y=2"),
    )
    call = _invoke(sidecar, request, ("x-one", "1"), ("some-bin", b"\x00"))
    answer = await call
    assert answer.content_type == "application/json"
    sent = json.loads(answer.data.value)
    assert (sent["method"], sent["path"], sent["query"]) == ("PUT", f"{base}/a/b", "x=1&y=2")
    assert (sent["body"], sent["headers"]["content-type"]) == ("tea", "text/x")
    assert sent["headers"]["x-one"] == "1"
    assert "some-bin" not in sent["headers"]
    headers = list(await call.initial_metadata())
    assert ("dapr-http-status", "200") in headers
    assert ("dapr-content-type", "application/json") in headers
    assert ("x-two", "2") in headers


async def test_without_a_verb_it_is_a_post_of_json(sidecar: Sidecar) -> None:
    sent = json.loads((await _invoke(sidecar, _request("shop", "x"))).data.value)
    assert (sent["method"], sent["headers"]["content-type"]) == ("POST", "application/json")


@pytest.mark.parametrize(
    ("http_status", "code"),
    [
        (302, "UNKNOWN"),
        (400, "INTERNAL"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (408, "CANCELLED"),
        (409, "ALREADY_EXISTS"),
        (418, "UNKNOWN"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "UNKNOWN"),
        (501, "UNIMPLEMENTED"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ],
)
async def test_statuses_become_those_of_grpc(sidecar: Sidecar, http_status: int, code: str) -> None:
    call = _invoke(sidecar, _request("shop", str(http_status)))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert (caught.value.code().name, caught.value.details()) == (code, "as asked")
    assert ("dapr-http-status", str(http_status)) in list(await call.initial_metadata())
    trailing = dict(caught.value.trailing_metadata() or ())
    rich = status.Status.FromString(trailing["grpc-status-details-bin"])
    info = status.ErrorInfo.FromString(rich.details[0].value)
    assert dict(info.metadata) == {
        "http.code": str(http_status),
        "http.error_message": "as asked",
    }


@pytest.mark.parametrize(
    ("target", "method", "code", "text"),
    [
        (
            "other",
            "x",
            grpc.StatusCode.INTERNAL,
            "failed to invoke, id: other, err: no application",
        ),
        ("other", "x", grpc.StatusCode.INTERNAL, "--dapr"),
        ("shop", "a/../b", grpc.StatusCode.INVALID_ARGUMENT, "is not valid"),
    ],
)
async def test_a_call_that_cannot_be_made_is_told(
    sidecar: Sidecar, target: str, method: str, code: grpc.StatusCode, text: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _invoke(sidecar, _request(target, method))
    assert caught.value.code() is code
    assert text in (caught.value.details() or "")


async def test_an_answer_has_to_fit_into_a_message(tmp_path: Path) -> None:
    async with serving(tmp_path, [], Target(), max_body=100_000) as sidecar:
        with pytest.raises(grpc.aio.AioRpcError, match="larger than the limit of 100000 bytes"):
            await _invoke(sidecar, _request("shop", "large"))


async def test_without_a_port_of_the_application_the_error_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as sidecar:
        with pytest.raises(grpc.aio.AioRpcError, match="app channel not initialized") as caught:
            await _invoke(sidecar, _request("shop", "x"))
    assert caught.value.code() is grpc.StatusCode.INTERNAL


@asynccontextmanager
async def _grpc_app() -> AsyncIterator[int]:
    async def on_invoke(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        request = wire.InvokeRequest.FromString(data)
        if request.method == "missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        if request.method == "message":
            message = wire.InvokeResponse(content_type="text/plain")
            message.data.Pack(wire.InvokeRequest(method="inner"))
            return message.SerializeToString()
        if request.method == "typed":
            return wire.InvokeResponse(data=request.data).SerializeToString()
        told = {
            "method": request.method,
            "verb": wire.HttpVerb.Name(request.http_extension.verb),
            "query": request.http_extension.querystring,
            "type": request.content_type,
            "body": request.data.value.decode(),
            "x-one": dict(context.invocation_metadata() or ()).get("x-one"),
        }
        answer = wire.InvokeResponse(content_type="application/json")
        answer.data.value = json.dumps(told).encode()
        return answer.SerializeToString()

    server = grpc.aio.server()
    handlers: dict[str, Any] = {
        "OnInvoke": grpc.unary_unary_rpc_method_handler(on_invoke, None, None)
    }
    service = "dapr.proto.runtime.v1.AppCallback"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def test_an_application_that_speaks_grpc_is_invoked_by_either_face(tmp_path: Path) -> None:
    async with _grpc_app() as port:
        address = AppAddress(port, "grpc")
        async with serving(tmp_path, app_address=address, max_body=100_000) as sidecar:
            path = "/v1.0/invoke/shop/method"
            headers = {"X-One": "1", "content-type": "text/x"}
            answer = await sidecar.http.put(f"{path}/a/b?x=1", content=b"tea", headers=headers)
            assert answer.headers["content-type"] == "application/json"
            assert answer.json() == {
                "method": "a/b",
                "verb": "PUT",
                "query": "x=1",
                "type": "text/x",
                "body": "tea",
                "x-one": "1",
            }
            missing = await sidecar.http.get(f"{path}/missing")
            assert (missing.status_code, missing.text) == (404, "no such thing")
            large = await sidecar.http.post(f"{path}/x", content=b"x" * 200_000)
            assert large.status_code == 400
            assert "larger than the limit" in large.json()["message"]
            found = await _invoke(sidecar, _request("shop", "c", data=Packed(value=b"milk")))
            assert json.loads(found.data.value)["body"] == "milk"
            with pytest.raises(grpc.aio.AioRpcError, match="no such thing") as caught:
                await _invoke(sidecar, _request("shop", "missing"))
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_body_that_is_a_message_keeps_its_type(tmp_path: Path) -> None:
    async with _grpc_app() as port:
        address = AppAddress(port, "grpc")
        async with serving(tmp_path, app_address=address) as sidecar:
            sent = Packed()
            sent.Pack(wire.InvokeRequest(method="inner"))
            found = await _invoke(sidecar, _request("shop", "typed", data=sent))
            assert (found.data, found.content_type) == (sent, "")
            path = "/v1.0/invoke/shop/method/typed"
            untyped = await sidecar.http.post(path, content=b"tea")
            assert "content-type" not in untyped.headers


async def test_over_http_a_message_has_its_content_type(tmp_path: Path) -> None:
    async with _grpc_app() as port:
        address = AppAddress(port, "grpc")
        async with serving(tmp_path, app_address=address) as sidecar:
            answer = await sidecar.http.post("/v1.0/invoke/shop/method/message")
            assert answer.headers["content-type"] == "application/x-protobuf"
            assert wire.InvokeRequest.FromString(answer.content).method == "inner"
