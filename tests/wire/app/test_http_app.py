"""The channel to an application that speaks HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flowyard.errors import BackendUnavailable, ConfigurationError
from flowyard.server.app import open_app, wait_for_app
from flowyard.server.app_channel import AppAddress, AppRequest
from flowyard.server.http_app import read_body
from wire.app.service import free_port, running

_LIMIT = 1_000_000


async def _echo(request: Request) -> Response:
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": {key: value for key, value in request.headers.items() if key != "host"},
            "body": (await request.body()).decode(),
        },
        status_code=418,
        headers={"x-kettle": "on"},
    )


def _app() -> Starlette:
    return Starlette(
        routes=[Route("/{path:path}", _echo, methods=["GET", "POST", "PATCH", "OPTIONS"])]
    )


async def _answer(address: AppAddress, request: AppRequest) -> tuple[int, bytes]:
    async with open_app(address, _LIMIT) as app, app.call(request) as response:
        return response.status, await read_body(response, _LIMIT)


async def test_a_request_arrives_as_it_is_and_so_does_the_answer() -> None:
    request = AppRequest("PATCH", "/a%20b/%2F?x=1&y=%20", {"X-One": "1"}, b"text")
    async with running(_app()) as port:
        status, body = await _answer(AppAddress(port), request)
    assert status == 418
    assert body == (
        b'{"method":"PATCH","path":"/a%20b/%2F","query":"x=1&y=%20",'
        b'"headers":{"x-one":"1","content-length":"4"},"body":"text"}'
    )


async def test_a_body_is_passed_on_as_it_comes() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async with running(_app()) as port:
        _, body = await _answer(AppAddress(port), AppRequest("POST", "/", {}, parts()))
    assert b'"transfer-encoding":"chunked"' in body
    assert b'"body":"one two"' in body


async def test_an_answer_is_read_while_the_application_still_writes_it() -> None:
    go_on = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await go_on.wait()
        yield b"last"

    async def stream(request: Request) -> Response:
        return StreamingResponse(parts())

    async with (
        running(Starlette(routes=[Route("/", stream)])) as port,
        open_app(AppAddress(port), _LIMIT) as app,
        app.call(AppRequest("GET", "/")) as response,
    ):
        assert await anext(response.body) == b"first"
        go_on.set()
        assert await anext(response.body) == b"last"


async def test_the_application_is_told_its_token_and_no_other() -> None:
    request = AppRequest("GET", "/", {"Dapr-Api-Token": "of the caller"})
    async with running(_app()) as port:
        _, without = await _answer(AppAddress(port), request)
        _, with_one = await _answer(AppAddress(port, token="secret"), request)  # noqa: S106
    assert b"dapr-api-token" not in without
    assert b'"dapr-api-token":"secret"' in with_one
    assert "secret" not in repr(AppAddress(port, token="secret"))  # noqa: S106


async def test_no_more_calls_are_made_at_once_than_it_takes() -> None:
    running_now = 0
    most = 0
    two = asyncio.Event()

    async def count(request: Request) -> Response:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        if running_now == 2:
            two.set()
        await two.wait()
        await asyncio.sleep(0)
        running_now -= 1
        return Response()

    async with (
        running(Starlette(routes=[Route("/", count)])) as port,
        open_app(AppAddress(port, max_concurrency=2), _LIMIT) as app,
    ):

        async def call() -> int:
            async with app.call(AppRequest("GET", "/")) as response:
                return response.status

        assert await asyncio.gather(*(call() for _ in range(10))) == [200] * 10
    assert most == 2


async def test_an_application_that_is_not_there_is_unavailable() -> None:
    port = free_port()
    async with open_app(AppAddress(port), _LIMIT) as app:
        with pytest.raises(BackendUnavailable, match=f"application at http://127.0.0.1:{port}"):
            async with app.call(AppRequest("GET", "/")):
                pass


async def test_an_answer_that_is_too_long_is_not_read() -> None:
    async with (
        running(_app()) as port,
        open_app(AppAddress(port), _LIMIT) as app,
        app.call(AppRequest("GET", "/")) as response,
    ):
        with pytest.raises(BackendUnavailable, match="more than the limit of 10 bytes"):
            await read_body(response, 10)


async def test_it_is_waited_for_until_it_listens(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    waiting = asyncio.create_task(wait_for_app(AppAddress(port)))
    while not caplog.messages:  # noqa: ASYNC110 - a log has no event
        await asyncio.sleep(0.01)
    assert not waiting.done()
    assert caplog.messages == [f"waiting for the application to listen on 127.0.0.1:{port}"]
    async with running(_app(), port):
        await waiting


@pytest.mark.parametrize("protocol", ["grpcs", "h2c", "ftp"])
def test_other_protocols_are_refused_in_words(protocol: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{protocol}'.*--app-protocol http, https or"):
        open_app(AppAddress(1, protocol), _LIMIT)
