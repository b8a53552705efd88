"""`InvokeBinding`, as Dapr's clients call it (docs/protocol.md §17)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flowyard.wire.v1 import bindings_pb2 as wire
from wire.app.served import Sidecar, component, serving
from wire.app.service import running

_METHOD = "/dapr.proto.runtime.v1.Dapr/InvokeBinding"


def _invoke(sidecar: Sidecar, request: wire.InvokeBindingRequest, *metadata: Any) -> Any:
    method: Any = sidecar.grpc.unary_unary(
        _METHOD,
        wire.InvokeBindingRequest.SerializeToString,
        wire.InvokeBindingResponse.FromString,
    )
    return method(request, metadata=metadata, timeout=30)


async def test_bytes_go_in_and_out_as_they_are(tmp_path: Path) -> None:
    files = component("files", "bindings.localstorage", rootPath=str(tmp_path / "files"))
    async with serving(tmp_path, [files]) as sidecar:
        where = {"fileName": "a.bin"}
        created = await _invoke(
            sidecar,
            wire.InvokeBindingRequest(
                name="files", operation="create", data=b"\xff\x00", metadata=where
            ),
        )
        assert created.data == b'{"fileName": "a.bin"}'
        got = wire.InvokeBindingRequest(name="files", operation="get", metadata=where)
        assert (await _invoke(sidecar, got)).data == b"\xff\x00"
        gone = wire.InvokeBindingRequest(name="files", operation="delete", metadata=where)
        assert (await _invoke(sidecar, gone)).data == b""


async def test_metadata_come_in_the_answer_and_as_headers(tmp_path: Path) -> None:
    sent: dict[str, str] = {}

    async def outside(request: Request) -> Response:
        sent.update(request.headers)
        return Response(b"tea", int(request.url.path.lstrip("/")), {"x-tea": "grün".encode().hex()})

    app = Starlette(routes=[Route("/{path:path}", outside)])
    async with running(app) as port:
        web = component("web", "bindings.http", url=f"http://127.0.0.1:{port}")
        async with serving(tmp_path, [web]) as sidecar:
            request = wire.InvokeBindingRequest(
                name="web", operation="get", metadata={"path": "200"}
            )
            span = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            call = _invoke(sidecar, request, ("traceparent", span), ("other", "1"))
            answer = await call
            assert answer.data == b"tea"
            assert answer.metadata["statusCode"] == "200"
            headers = dict(await call.initial_metadata())
            assert headers["metadata.statuscode"] == "200"
            assert headers["metadata.x-tea"] == answer.metadata["X-Tea"]
            assert sent["traceparent"] == span
            assert "dapr-api-token" not in sent
            request.metadata["path"] = "404"
            call = _invoke(sidecar, request)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert dict(await call.initial_metadata())["metadata.statuscode"] == "404"
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert caught.value.details() == ("error invoking output binding web: received status code 404")


@pytest.mark.parametrize(
    ("name", "operation", "text"),
    [
        ("files", "", "operation field is missing from request"),
        ("files", "burn", "does not support operation burn. supported operations:create delete"),
        ("none", "get", "couldn't find output binding none"),
        ("queue", "get", "'bindings.kafka' is not installed"),
        ("queue", "get", "--dapr"),
    ],
)
async def test_what_does_not_succeed_is_internal(
    tmp_path: Path, name: str, operation: str, text: str
) -> None:
    documents = [
        component("files", "bindings.localstorage", rootPath=str(tmp_path / "files")),
        component("queue", "bindings.kafka", brokers="b"),
    ]
    async with serving(tmp_path, documents) as sidecar:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _invoke(sidecar, wire.InvokeBindingRequest(name=name, operation=operation))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert f"error invoking output binding {name}: " in (caught.value.details() or "")
    assert text in (caught.value.details() or "")
