"""What is not served here reaches a daprd over HTTP as it was sent, and so does the answer."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from wire.forwarding.conftest import Serve
from wire.forwarding.daprd import PATIENCE, HttpDaprd

MEGABYTE = 1024 * 1024


async def raw(url: str, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send bytes as they are."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(request)
    await writer.drain()
    return reader, writer


async def test_a_call_reaches_the_daprd_as_it_was_sent(serve: Serve, daprd: HttpDaprd) -> None:
    async with serve(token="ours", dapr=daprd.url, dapr_token="theirs") as served:  # noqa: S106
        reader, writer = await raw(
            served.http,
            b"PUT /v1.0/state/a%2fb//../x%20?metadata.ttl=1&q=%C3%A9+%7E HTTP/1.1\r\n"
            b"Host: localhost\r\nDapr-Api-Token: ours\r\nContent-Length: 4\r\n"
            b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 9\r\nTE: trailers\r\n"
            b"X-Two: a\r\nX-Two: b\r\nAuthorization: Basic eA==\r\n\r\n\x00\xff{}",
        )
        call = await daprd.next()
        assert call.method == "PUT"
        assert call.target == b"/v1.0/state/a%2fb//../x%20?metadata.ttl=1&q=%C3%A9+%7E"
        assert sorted(call.headers) == [
            (b"authorization", b"Basic eA=="),
            (b"content-length", b"4"),
            (b"dapr-api-token", b"theirs"),
            (b"host", daprd.url.removeprefix("http://").encode()),
            (b"x-two", b"a"),
            (b"x-two", b"b"),
        ]
        assert await call.body() == b"\x00\xff{}"
        await call.answer()
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_without_a_token_for_the_daprd_none_is_sent(serve: Serve, daprd: HttpDaprd) -> None:
    async with (
        serve(token="ours", dapr=daprd.url) as served,  # noqa: S106
        httpx.AsyncClient(base_url=served.http) as http,
    ):
        assert (await http.get("/v1.0/state/s/k")).status_code == 401
        token = {"dapr-api-token": "ours"}
        asking = asyncio.create_task(http.get("/v1.0/state/s/k", headers=token))
        call = await daprd.next()
        assert call.header(b"dapr-api-token") == []
        await call.answer()
        assert (await asking).status_code == 200
        assert daprd.calls.empty()


async def test_an_answer_comes_back_as_it_was_sent(
    http: httpx.AsyncClient, daprd: HttpDaprd
) -> None:
    packed = gzip.compress(b'{"errorCode":"ERR_X"}')
    asking = asyncio.create_task(http.post("/v1.0/bindings/mail", content=b"{}"))
    call = await daprd.next()
    headers = [(b"content-encoding", b"gzip"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await call.answer(409, [*headers, (b"connection", b"x-hop"), (b"x-hop", b"1")], packed)
    answer = await asking
    assert answer.status_code == 409
    assert answer.json() == {"errorCode": "ERR_X"}
    assert answer.headers["content-length"] == str(len(packed))
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "x-hop" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/v1.0/configuration/store/subscribe?key=a", {}),
        ("POST", "/v1.0-alpha1/lock/store", {}),
        ("POST", "/v1.0-alpha1/jobs/nightly", {}),
        ("PUT", "/v1.0-alpha1/crypto/vault/encrypt", {}),
        ("DELETE", "/v1.0/actors/cart/1/reminders/r", {}),
        ("PATCH", "/v1.0/invoke/shop/method/orders/7", {}),
        ("OPTIONS", "/orders/7", {"dapr-app-id": "shop"}),
        ("GET", "/nothing/that/anybody/knows", {}),
    ],
)
async def test_every_path_that_is_nobodys_here_is_forwarded(
    http: httpx.AsyncClient, daprd: HttpDaprd, method: str, path: str, headers: dict[str, str]
) -> None:
    asking = asyncio.create_task(http.request(method, path, headers=headers))
    call = await daprd.next()
    assert (call.method, call.target.decode()) == (method, path)
    assert [value.decode() for value in call.header(b"dapr-app-id")] == list(headers.values())
    await call.answer(204)
    assert (await asking).status_code == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1.0/workflows/dapr/one"),
        ("GET", "/v1.0/workflows/elsewhere/one"),
        ("POST", "/v1.0/workflows/dapr/one/nonsense"),
        ("DELETE", "/v1.0-beta1/workflows/dapr/one"),
        ("GET", "/v1.0/metadata"),
        ("GET", "/v1.0/healthz"),
        ("GET", "/v1.0/shutdown"),
        ("GET", "/flowyard/v1/nonsense"),
        ("GET", "/openapi.json"),
    ],
)
async def test_what_is_ours_is_never_forwarded(
    http: httpx.AsyncClient, daprd: HttpDaprd, method: str, path: str
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code in {200, 204, 400, 404}
    assert daprd.calls.empty()


async def test_a_redirect_is_the_callers_to_follow(
    http: httpx.AsyncClient, daprd: HttpDaprd
) -> None:
    asking = asyncio.create_task(http.get("/v1.0/invoke/shop/method/old"))
    await (await daprd.next()).answer(302, [(b"location", b"http://elsewhere.example/new")])
    answer = await asking
    assert (answer.status_code, answer.headers["location"]) == (302, "http://elsewhere.example/new")


async def test_bodies_stream_both_ways(http: httpx.AsyncClient, daprd: HttpDaprd) -> None:
    parts: asyncio.Queue[bytes] = asyncio.Queue()

    async def body() -> AsyncIterator[bytes]:
        while part := await parts.get():
            yield part

    request = http.build_request("POST", "/v1.0/invoke/shop/method/talk", content=body())
    asking = asyncio.create_task(http.send(request, stream=True))
    parts.put_nowait(b"one")
    call = await daprd.next()
    assert call.header(b"transfer-encoding") == [b"chunked"]
    assert await call.read() == b"one"
    parts.put_nowait(b"two")
    assert await call.read() == b"two"
    parts.put_nowait(b"")
    assert await call.read() == b""
    await call.begin(200)
    answer = await asking
    chunks = answer.aiter_raw()
    for part in (b"three", b"four"):
        await call.send(part)
        assert await anext(chunks) == part
    await call.end()
    assert [chunk async for chunk in chunks] == []


async def test_large_bodies_are_whole(http: httpx.AsyncClient, daprd: HttpDaprd) -> None:
    large = bytes(range(256)) * (10 * MEGABYTE // 256)
    asking = asyncio.create_task(http.post("/v1.0/state/store", content=large))
    call = await daprd.next()
    assert call.header(b"content-length") == [str(len(large)).encode()]
    assert await call.body() == large
    await call.answer(200, body=large[::-1])
    assert (await asking).content == large[::-1]


async def test_the_answer_to_head_has_a_length_and_no_body(
    http: httpx.AsyncClient, daprd: HttpDaprd
) -> None:
    asking = asyncio.create_task(http.head("/v1.0/invoke/shop/method/size"))
    call = await daprd.next()
    await call.begin(200, [(b"content-length", b"1234")])
    await call.end()
    answer = await asking
    assert (answer.status_code, answer.headers["content-length"]) == (200, "1234")


@pytest.mark.parametrize("begun", [False, True])
async def test_a_caller_that_hangs_up_ends_the_call_of_the_daprd(
    http: httpx.AsyncClient, daprd: HttpDaprd, *, begun: bool
) -> None:
    _, writer = await raw(
        str(http.base_url), b"GET /v1.0/invoke/a/method/b HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    call = await daprd.next()
    if begun:
        await call.begin(200)
        await call.send(b"data")
    writer.close()
    async with asyncio.timeout(PATIENCE):
        await call.gone()
    call.hang_up()
    assert (await http.get("/v1.0/healthz")).status_code == 204


async def test_a_caller_that_closes_its_sending_side_is_told(
    http: httpx.AsyncClient, daprd: HttpDaprd
) -> None:
    head = b"GET /v1.0/invoke/a/method/b HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reader, writer = await raw(str(http.base_url), head)
    call = await daprd.next()
    writer.write_eof()
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
        await call.gone()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"closed its side of the connection" in answer
    call.hang_up()
    writer.close()


async def test_a_caller_that_breaks_off_its_body_ends_the_call_of_the_daprd(
    http: httpx.AsyncClient, daprd: HttpDaprd
) -> None:
    head = b"POST /v1.0/state/s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345"
    _, writer = await raw(str(http.base_url), head)
    call = await daprd.next()
    assert await call.read() == b"12345"
    writer.close()
    async with asyncio.timeout(PATIENCE):
        await call.gone()
    call.hang_up()


async def test_a_caller_that_reads_nothing_stops_the_daprd_from_sending(
    http: httpx.AsyncClient, daprd: HttpDaprd
) -> None:
    async def pour(parts: int) -> None:
        for _ in range(parts):
            await call.send(bytes(MEGABYTE))
        await call.end()

    request = http.build_request("GET", "/v1.0/invoke/shop/method/flood")
    asking = asyncio.create_task(http.send(request, stream=True))
    call = await daprd.next()
    await call.begin(200)
    pouring = asyncio.create_task(pour(64))
    answer = await asking
    for _ in range(200):
        await http.get("/v1.0/healthz")
    assert not pouring.done()
    assert sum([len(chunk) async for chunk in answer.aiter_raw()]) == 64 * MEGABYTE
    await pouring


async def test_a_daprd_that_is_away_is_named(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        serve(dapr="http://127.0.0.1:1", dapr_token="theirs") as served,  # noqa: S106
        httpx.AsyncClient(base_url=served.http) as http,
    ):
        answer = await http.post("/v1.0/state/store", content=b"[]")
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "ERR_DAPRD_UNAVAILABLE")
    assert "daprd at http://127.0.0.1:1, which --dapr names, does not answer" in answer.text
    assert "refused POST /v1.0/state/store" in caplog.text
    assert "theirs" not in caplog.text + answer.text


async def test_a_daprd_that_hangs_up_without_an_answer_leaves_it_open(
    http: httpx.AsyncClient, daprd: HttpDaprd
) -> None:
    asking = asyncio.create_task(http.post("/v1.0/publish/bus/topic", content=b"{}"))
    (await daprd.next()).hang_up()
    answer = await asking
    assert answer.status_code == 503
    assert "Whether the call was carried out is not known" in answer.json()["message"]


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"100")]])
async def test_an_answer_that_breaks_off_is_seen_not_to_be_whole(
    http: httpx.AsyncClient,
    daprd: HttpDaprd,
    caplog: pytest.LogCaptureFixture,
    headers: list[tuple[bytes, bytes]],
) -> None:
    request = http.build_request("GET", "/v1.0/invoke/shop/method/half")
    asking = asyncio.create_task(http.send(request, stream=True))
    call = await daprd.next()
    await call.begin(200, headers)
    await call.send(b"half")
    answer = await asking
    chunks = answer.aiter_raw()
    assert await anext(chunks) == b"half"
    call.hang_up()
    with pytest.raises(httpx.TransportError):
        await anext(chunks)
    assert "broke off its answer" in caplog.text
    assert "ERROR" not in caplog.text


async def test_a_server_that_stops_ends_what_does_not_end(
    serve: Serve, daprd: HttpDaprd, caplog: pytest.LogCaptureFixture
) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        async with serve(dapr=daprd.url) as served:
            endless = http.build_request("GET", f"{served.http}/v1.0/invoke/shop/method/endless")
            streaming = asyncio.create_task(http.send(endless, stream=True))
            begun = await daprd.next()
            await begun.begin(200)
            await begun.send(b"data")
            answer = await streaming
            waiting = asyncio.create_task(http.get(f"{served.http}/v1.0/invoke/shop/method/slow"))
            silent = await daprd.next()
        assert "the server stopped before the daprd answered" in (await waiting).text
        with pytest.raises(httpx.TransportError):
            await answer.aread()
    for call in (begun, silent):
        async with asyncio.timeout(PATIENCE):
            await call.gone()
        call.hang_up()
    assert "Traceback" not in caplog.text
