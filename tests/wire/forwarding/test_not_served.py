"""A component that is not one of ours: its calls are forwarded, or refused in words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from flowyard.config import ComponentSpec
from flowyard.errors import ConfigurationError
from flowyard.server.grpc.blocks import Requests, UnservedMethods
from flowyard.server.grpc.forwarding import open_grpc_forwarding
from flowyard.server.grpc.methods import Methods
from flowyard.server.http.blocks import Elsewhere
from flowyard.server.http.endpoints import Endpoint
from flowyard.server.http.forwarding import open_http_forwarding
from flowyard.server.http.server import Address
from flowyard.server.not_served import Daprd, NotServed
from flowyard.server.refusals import Refusals
from flowyard.server.server import ServerOptions, open_server
from flowyard.wire.json.errors import RequestFault
from flowyard.wire.v1 import management_pb2 as management
from wire.forwarding.conftest import Serve
from wire.forwarding.daprd import PATIENCE, GrpcDaprd, HttpDaprd
from wire.http.service import engine

INVOKE = "/dapr.proto.runtime.v1.Dapr/InvokeBinding"
SUBSCRIBE = "/dapr.proto.runtime.v1.Dapr/EncryptAlpha1"

refusals = Refusals(logging.getLogger("flowyard.test"))


async def invoke(request: Request) -> Response:
    """Serve the binding `ours` only."""
    name = request.path_params["name"]
    if name == "ours":
        return Response(b"mine")
    unknown = RequestFault(400, "ERR_X", f"binding {name} is not found")
    raise NotServed("bindings", name, unknown if name == "unknown" else None)


def api(elsewhere: Elsewhere) -> Starlette:
    """An API of one endpoint."""
    route = Endpoint("POST", "/v1.0/bindings/{name}", invoke, "", {}).route()
    app = Starlette(routes=[route])
    app.state.elsewhere = elsewhere
    app.state.refusals = refusals
    return app


def client(app: Starlette) -> httpx.AsyncClient:
    """What calls it."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_an_endpoint_hands_on_what_it_does_not_serve(daprd: HttpDaprd) -> None:
    beside = Daprd(http=daprd.url, token="theirs")  # noqa: S106
    async with (
        open_http_forwarding(beside, asyncio.Event()) as forwarding,
        client(api(Elsewhere(refusals, forwarding, beside))) as http,
    ):
        assert (await http.post("/v1.0/bindings/ours", content=b"x")).content == b"mine"
        assert daprd.calls.empty()
        asking = asyncio.create_task(http.post("/v1.0/bindings/unknown", content=b"[1]"))
        call = await daprd.next()
        assert (call.target, await call.body()) == (b"/v1.0/bindings/unknown", b"[1]")
        await call.answer(204)
        assert (await asking).status_code == 204


async def test_without_a_daprd_an_endpoint_says_what_to_do() -> None:
    reason = "no plugin offers 'state.mongodb'."
    async with client(api(Elsewhere(refusals, unserved={"mongo": reason}))) as http:
        unknown = (await http.post("/v1.0/bindings/unknown")).json()
        assert unknown["errorCode"] == "ERR_X"
        assert unknown["message"].startswith("binding unknown is not found. ")
        assert "flowyard serve --dapr http://HOST:PORT" in unknown["message"]
        other = (await http.post("/v1.0/bindings/mongo")).json()
        assert other["errorCode"] == "ERR_INVOKE_OUTPUT_BINDING"
        assert reason in other["message"]
        assert "--dapr" in other["message"]


async def test_a_daprd_without_an_address_for_http_is_named() -> None:
    elsewhere = Elsewhere(refusals, None, Daprd(grpc="127.0.0.1:1"))
    async with client(api(elsewhere)) as http:
        told = (await http.post("/v1.0/bindings/other")).json()["message"]
    assert "--dapr names no http:// address" in told


class _Methods(Methods):
    """Two methods that serve the component `ours` only."""

    def blocks(self) -> grpc.GenericRpcHandler:
        """Return them."""
        handlers = {
            "InvokeBinding": self._method(_invoke, management.BlockRequest, INVOKE),
            "EncryptAlpha1": self._stream(SUBSCRIBE, _subscribe),
        }
        return grpc.method_handlers_generic_handler("dapr.proto.runtime.v1.Dapr", handlers)


async def _invoke(request: management.BlockRequest, context: Any) -> management.BlockRequest:
    if request.name != "ours":
        unknown = RequestFault(400, "ERR_X", f"binding {request.name} is not found")
        raise NotServed("bindings", request.name, unknown if request.name == "unknown" else None)
    return management.BlockRequest(name="mine")


async def _subscribe(requests: Requests, context: Any) -> None:
    if await requests.first() != b"ours":
        raise NotServed("crypto", "other")
    async for request in requests:
        await context.write(management.BlockRequest(name=request.decode()))


@asynccontextmanager
async def methods(daprd: Daprd | None) -> AsyncIterator[grpc.aio.Channel]:
    """Serve the two methods, and give a connection to them."""
    async with open_grpc_forwarding(daprd, refusals) as forwarding:
        unserved = UnservedMethods(refusals, forwarding, daprd, {"mongo": "no plugin offers it."})
        server = grpc.aio.server()
        served = _Methods(2**20, 2**20, refusals, unserved)
        server.add_generic_rpc_handlers((served.blocks(), unserved))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield channel
        finally:
            await server.stop(None)


async def test_a_method_hands_on_what_it_does_not_serve(grpc_side: GrpcDaprd) -> None:
    async with methods(Daprd(grpc=grpc_side.address)) as channel:
        make: Any = channel.unary_unary(INVOKE)
        ours = management.BlockRequest(name="ours").SerializeToString()
        assert await make(ours, timeout=PATIENCE) == b"\x0a\x04mine"
        assert grpc_side.calls.empty()
        sent = b"\x0a\x05other\xfa\x3f\x01x"
        asking = make(sent, metadata=(("k", "v"),), timeout=PATIENCE)
        call = await grpc_side.next()
        assert (call.method, await call.requests()) == (INVOKE, [sent])
        assert ("k", "v") in call.metadata
        await call.context.send_initial_metadata((("first", "1"),))
        await call.context.write(b"\xffnot a message")
        call.context.set_trailing_metadata((("last", "2"),))
        call.end()
        assert await asking == b"\xffnot a message"
        assert ("first", "1") in set(await asking.initial_metadata())
        assert ("last", "2") in set(await asking.trailing_metadata())
        asking = make(b"", timeout=PATIENCE)
        details = (("grpc-status-details-bin", b"\x01"),)
        (await grpc_side.next()).end(grpc.StatusCode.NOT_FOUND, "gone", details)
        with pytest.raises(grpc.aio.AioRpcError, match="gone") as caught:
            await asking
        assert set(details) <= set(caught.value.trailing_metadata())


async def test_a_unary_call_that_is_cancelled_is_cancelled_at_the_daprd(
    grpc_side: GrpcDaprd,
) -> None:
    async with methods(Daprd(grpc=grpc_side.address)) as channel:
        make: Any = channel.unary_unary(INVOKE)
        asking = make(b"", timeout=PATIENCE)
        call = await grpc_side.next()
        asking.cancel()
        async with asyncio.timeout(PATIENCE):
            await call.gone.wait()


async def test_a_stream_hands_on_what_it_does_not_serve(grpc_side: GrpcDaprd) -> None:
    async with methods(Daprd(grpc=grpc_side.address)) as channel:
        make: Any = channel.stream_stream(SUBSCRIBE)
        stream = make()
        for message in (b"ours", b"more"):
            await stream.write(message)
            assert management.BlockRequest.FromString(await stream.read()).name == message.decode()
        await stream.done_writing()
        assert await stream.code() is grpc.StatusCode.OK
        assert grpc_side.calls.empty()
        stream = make()
        await stream.write(b"theirs")
        call = await grpc_side.next()
        assert (call.method, await call.read()) == (SUBSCRIBE, b"theirs")
        await stream.write(b"more")
        assert await call.read() == b"more"
        await call.context.write(b"event")
        assert await stream.read() == b"event"
        call.end()
        assert await stream.read() is grpc.aio.EOF


async def test_without_a_daprd_a_method_says_what_to_do() -> None:
    async with methods(None) as channel:
        make: Any = channel.unary_unary(INVOKE)
        stream: Any = channel.stream_stream(SUBSCRIBE)
        for name, code, text in (
            ("unknown", grpc.StatusCode.INVALID_ARGUMENT, "binding unknown is not found. "),
            ("x", grpc.StatusCode.INTERNAL, "find output binding x. "),
            ("mongo", grpc.StatusCode.INTERNAL, "no plugin offers it. "),
        ):
            request = management.BlockRequest(name=name).SerializeToString()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await make(request, timeout=PATIENCE)
            assert caught.value.code() is code
            assert text in (caught.value.details() or "")
            assert "flowyard serve --dapr grpc://HOST:PORT" in (caught.value.details() or "")
        with pytest.raises(grpc.aio.AioRpcError, match="EncryptAlpha1 is not served here"):
            await stream(iter([b"other"])).read()


async def test_the_answer_without_a_daprd_names_the_option(serve: Serve) -> None:
    mongo = ComponentSpec(name="mongo", type="state.mongodb")
    async with (
        serve(components=[mongo]) as served,
        httpx.AsyncClient(base_url=served.http) as http,
        grpc.aio.insecure_channel(served.grpc or "") as channel,
    ):
        for path in ("/v1.0/state/s/k", "/v1.0-alpha1/lock/l", "/nothing"):
            assert "--dapr http://HOST:PORT" in (await http.post(path)).json()["message"]
        for method in ("GetState", "ConverseAlpha2"):
            make: Any = channel.unary_unary(f"/dapr.proto.runtime.v1.Dapr/{method}")
            with pytest.raises(grpc.aio.AioRpcError, match="--dapr grpc://HOST:PORT"):
                await make(b"", timeout=PATIENCE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://host:3500", Daprd(http="http://host:3500")),
        ("https://host/", Daprd(http="https://host")),
        ("grpc://host:50001", Daprd(grpc="host:50001")),
        (" http://[::1]:1 , grpcs://[::1]:2,", Daprd("http://[::1]:1", "[::1]:2", grpc_tls=True)),
    ],
)
def test_addresses_of_a_daprd(text: str, expected: Daprd) -> None:
    assert Daprd.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no address"),
        ("host:3500", "'host:3500' is not an address"),
        ("ftp://host", "is not an address"),
        ("http://host:99999", "is not an address"),
        ("http://host:1/v1.0", "is not an address"),
        ("http://user:hunter2@host:1", "--dapr is not an address"),
        ("grpc://host", "has no port"),
        ("http://a,https://b", "two addresses for http"),
        ("grpc://a:1,grpcs://b:1", "two addresses for grpc"),
    ],
)
def test_what_is_no_address_of_a_daprd_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match="Write http://HOST:PORT") as caught:
        Daprd.parse(text)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_token_is_not_shown() -> None:
    assert "theirs" not in repr(Daprd.parse("http://host", "theirs"))
    assert "theirs" not in repr(ServerOptions(dapr_token="theirs"))  # noqa: S106


@pytest.mark.parametrize("dapr", ["http://localhost:3500", "grpc://127.0.0.1:50001"])
async def test_a_server_is_no_daprd_of_its_own(tmp_path: Path, dapr: str) -> None:
    options = ServerOptions([engine("orders", tmp_path)], Address(), dapr=dapr)
    with pytest.raises(ConfigurationError, match="names this server itself"):
        async with open_server(options, None, asyncio.Event()):
            pass
