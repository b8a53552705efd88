"""`bindings.http` against real servers (docs/protocol.md §17)."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from blocks.bindings.opening import opened
from flowyard.backend import (
    BackendUnavailable,
    BindingFailed,
    BindingRequest,
    ConfigurationError,
    InvalidRequest,
)
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import BindingConformance
from temporal.certificates import make_authority, make_certificate
from wire.app.service import free_port, running

_VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_JSON = "application/json; charset=utf-8"


async def _echo(request: Request) -> Response:
    headers = {name: value for name, value in request.headers.items() if name != "host"}
    body = (await request.body()).decode()
    told = {"method": request.method, "path": str(request.url.path), "body": body}
    return JSONResponse({**told, "query": request.url.query, "headers": headers})


async def _status(request: Request) -> Response:
    status = int(request.path_params["status"])
    return PlainTextResponse("as asked", status, {"x-tea": "green"})


async def _redirect(request: Request) -> Response:
    status = int(request.path_params["status"])
    return RedirectResponse(request.query_params["to"], status)


async def _loop(_request: Request) -> Response:
    return RedirectResponse("/loop")


async def _compressed(_request: Request) -> Response:
    headers = {"content-encoding": "gzip", "x-kind": "gzip"}
    return Response(gzip.compress(b"tea"), headers=headers)


async def _never(_request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


def _app() -> Starlette:
    return Starlette(
        routes=[
            Route("/status/{status}", _status, methods=_VERBS),
            Route("/redirect/{status}", _redirect, methods=_VERBS),
            Route("/loop", _loop),
            Route("/compressed", _compressed),
            Route("/never", _never),
            Route("/{path:path}", _echo, methods=_VERBS),
        ]
    )


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with running(_app()) as port:
        yield f"http://127.0.0.1:{port}"


class TestConformance(BindingConformance):
    @pytest.fixture
    def component_spec(self, url: str) -> ComponentSpec:
        return ComponentSpec(name="web", type="bindings.http", metadata={"url": url})

    @pytest.fixture
    def good_request(self) -> BindingRequest:
        return BindingRequest("post", b"{}", {"path": "orders"})

    @pytest.fixture
    def bad_request(self) -> BindingRequest:
        return BindingRequest("get", metadata={"path": "status/404"})


@pytest.mark.parametrize(
    ("operation", "method", "body"),
    [
        ("create", "POST", '{"a":1}'),
        ("post", "POST", '{"a":1}'),
        ("put", "PUT", '{"a":1}'),
        ("patch", "PATCH", '{"a":1}'),
        ("get", "GET", ""),
        ("delete", "DELETE", ""),
        ("options", "OPTIONS", ""),
        ("trace", "TRACE", ""),
    ],
)
async def test_an_operation_is_a_verb_and_some_have_a_body(
    url: str, operation: str, method: str, body: str
) -> None:
    async with opened("http", url=f"{url}/base/") as web:
        answer = await web.invoke(operation, b'{"a":1}', {"path": "/orders?x=1"})
    assert answer.data is not None
    told = json.loads(answer.data)
    assert (told["method"], told["path"], told["query"]) == (method, "/base/orders", "x=1")
    assert told["body"] == body
    assert told["headers"]["accept"] == _JSON
    assert told["headers"].get("content-type") == (_JSON if body else None)
    assert answer.metadata["statusCode"] == "200"
    assert answer.metadata["status"] == "200 OK"
    assert answer.metadata["Content-Type"] == "application/json"


async def test_head_has_an_answer_without_a_body(url: str) -> None:
    async with opened("http", url=url) as web:
        answer = await web.invoke("head", b"", {"path": "status/200"})
    assert (answer.data, answer.metadata["X-Tea"]) == (b"", "green")


async def test_capital_letters_make_headers_and_tracing_goes_on(url: str) -> None:
    metadata = {
        "X-One": "1",
        "Accept": "text/plain",
        "Content-Type": "text/x",
        "lower": "no",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Z": "two words ",
    }
    async with opened("http", url=url) as web:
        told = json.loads((await web.invoke("post", b"x", metadata)).data or b"")
    sent = told["headers"]
    assert sent["x-one"] == "1"
    assert sent["accept"] == "text/plain"
    assert sent["content-type"] == "text/x"
    assert sent["traceparent"].startswith("00-0af7")
    assert sent["z"] == "two words"
    assert "lower" not in sent
    assert "path" not in sent


@pytest.mark.parametrize("status", [301, 404, 500])
async def test_another_status_than_2xx_is_an_error_that_tells_the_answer(
    url: str, status: int
) -> None:
    async with opened("http", url=url) as web:
        with pytest.raises(BindingFailed, match=f"^received status code {status}$") as caught:
            await web.invoke("get", b"", {"path": f"status/{status}"})
        assert caught.value.metadata["statusCode"] == str(status)
        assert caught.value.metadata["X-Tea"] == "green"
        lenient = {"path": f"status/{status}", "errorIfNot2XX": "false"}
        answer = await web.invoke("get", b"", lenient)
        assert (answer.data, answer.metadata["statusCode"]) == (b"as asked", str(status))
    async with opened("http", url=url, errorIfNot2XX="false") as web:
        assert (await web.invoke("get", b"", {"path": f"status/{status}"})).data == b"as asked"
        with pytest.raises(BindingFailed):
            await web.invoke("get", b"", {"path": f"status/{status}", "errorIfNot2XX": "true"})


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, "GET", ""), (302, "GET", ""), (303, "GET", ""), (307, "POST", "x"), (308, "POST", "x")],
)
async def test_redirects_are_followed_as_gos_client_does(
    url: str, status: int, method: str, body: str
) -> None:
    async with opened("http", url=url, securityToken="t", securityTokenHeader="X-Key") as web:
        metadata = {"path": f"redirect/{status}?to=/there", "Authorization": "Bearer b"}
        told = json.loads((await web.invoke("post", b"x", metadata)).data or b"")
    assert (told["method"], told["path"], told["body"]) == (method, "/there", body)
    # It is the same server.
    assert told["headers"]["authorization"] == "Bearer b"
    assert told["headers"]["x-key"] == "t"
    assert ("content-type" in told["headers"]) is bool(body)


async def test_secrets_are_not_sent_to_another_server(url: str) -> None:
    async with (
        running(_app()) as other,
        opened("http", url=url, securityToken="t", securityTokenHeader="X-Key") as web,
    ):
        there = f"http://127.0.0.1:{other}/there"
        metadata = {
            "path": f"redirect/307?to={there}",
            "Authorization": "Bearer b",
            "Cookie": "c=1",
            "X-Order": "7",
        }
        told = json.loads((await web.invoke("post", b"x", metadata)).data or b"")
    assert (told["path"], told["body"]) == ("/there", "x")
    assert told["headers"]["x-order"] == "7"
    assert not told["headers"].keys() & {"authorization", "cookie", "x-key"}


async def test_redirects_have_an_end(url: str) -> None:
    async with opened("http", url=url) as web:
        with pytest.raises(BindingFailed, match="stopped after 10 redirects"):
            await web.invoke("get", b"", {"path": "loop"})
        with pytest.raises(BindingFailed, match="the scheme 'file'"):
            await web.invoke("get", b"", {"path": "redirect/302?to=file:///etc/passwd"})


async def test_an_answer_has_a_limit_and_a_time(url: str) -> None:
    async with opened("http", url=url, maxResponseBodySize="4") as web:
        assert (await web.invoke("get", b"", {"path": "compressed"})).data == b"tea"
        with pytest.raises(BindingFailed, match="larger than 4 bytes"):
            await web.invoke("get", b"", {"path": "status/200"})
    async with opened("http", url=url, responseTimeout="20ms") as web:
        with pytest.raises(BackendUnavailable, match=r"longer than responseTimeout \(0.02 s\)"):
            await web.invoke("get", b"", {"path": "never"})


async def test_what_was_decompressed_is_not_told_to_be_compressed(url: str) -> None:
    async with opened("http", url=url) as web:
        answer = await web.invoke("get", b"", {"path": "compressed"})
    assert answer.data == b"tea"
    assert answer.metadata["X-Kind"] == "gzip"
    assert not answer.metadata.keys() & {"Content-Encoding", "Content-Length"}


async def test_nobody_there_is_an_error_without_the_password() -> None:
    url = f"http://user:hidden@127.0.0.1:{free_port()}/x?key=hidden"
    async with opened("http", url=url) as web:
        with pytest.raises(BackendUnavailable, match="no answer to GET") as caught:
            await web.invoke("get", b"", {})
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"path": "a/../b"}, "invalid path: a/../b"),
        ({"X-One": "a\nb"}, "cannot be sent"),
        ({"X One": "a"}, "cannot be sent"),
    ],
)
async def test_what_cannot_be_sent_is_refused(
    url: str, metadata: dict[str, str], text: str
) -> None:
    async with opened("http", url=url) as web:
        with pytest.raises(InvalidRequest, match=text):
            await web.invoke("get", b"", metadata)


@pytest.mark.parametrize("as_text", [False, True])
async def test_servers_and_clients_may_know_each_other_by_certificates(
    tmp_path: Path, as_text: bool
) -> None:
    authority = make_authority(tmp_path, "ca")
    server = make_certificate(tmp_path, "server", authority, "localhost")
    client = make_certificate(tmp_path, "client", authority, "client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.file, server.key)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\ntea")
        writer.close()

    files = {
        "MTLSRootCA": authority.file,
        "MTLSClientCert": client.file,
        "MTLSClientKey": client.key,
    }
    metadata = {name: file.read_text() if as_text else str(file) for name, file in files.items()}
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as listening:
        url = f"https://localhost:{listening.sockets[0].getsockname()[1]}"
        async with opened("http", None, url=url, **metadata) as web:
            assert (await web.invoke("get", b"", {})).data == b"tea"
        async with opened("http", url=url) as web:
            with pytest.raises(BackendUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await web.invoke("get", b"", {})


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"url": "ftp://host"}, "'url'"),
        ({"url": "http://host:port"}, "url cannot be called"),
        ({"maxResponseBodySize": "large"}, "'maxResponseBodySize'"),
        ({"responseTimeout": "soon"}, "'responseTimeout'"),
        ({"MTLSClientCert": "x"}, "given together"),
        ({"MTLSRootCA": "/no/such/file"}, "the certificates cannot be used"),
        ({"MTLSRenegotiation": "FreelyAsClient"}, "'MTLSRenegotiation'"),
    ],
)
async def test_settings_that_cannot_be_used_are_refused(
    metadata: dict[str, str], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        async with opened("http", None, **{"url": "http://127.0.0.1", **metadata}):
            pass
