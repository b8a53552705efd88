"""Connections of the HTTP server: how many, how long, and how they end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from flowyard import BackendUnavailable, Client, InstanceNotFound, client
from flowyard.server.http import connection as http_connection
from flowyard.server.http import server as http_server
from wire.http.service import Served, serving

_GET = b"GET /v1.0/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
_HEAD = b"POST /v1.0/workflows/dapr/echo/start?instanceID=a HTTP/1.1\r\nHost: localhost\r\n"
_INSTANCES = "/flowyard/v1/instances"


@asynccontextmanager
async def _connected(
    served: Served,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = served.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def _within_reason(answer: Awaitable[bytes]) -> bytes:
    async with asyncio.timeout(60):
        return await answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass before a connection is too slow."""
    monkeypatch.setattr(http_server, "_SECONDS_BETWEEN_CHECKS", 0.01)
    monkeypatch.setattr(http_connection, "REQUEST_SECONDS", 0.0)
    monkeypatch.setattr(http_connection, "BODY_RATE", float("inf"))
    monkeypatch.setattr(http_connection, "ANSWER_SECONDS", 0.0)


async def test_a_caller_that_sends_no_more_gets_its_answer(served: Served) -> None:
    async with _connected(served) as (reader, writer):
        writer.write(_HEAD + b"Content-Length: 1\r\n\r\n1")
        writer.write_eof()
        answer = await _within_reason(reader.read())
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert answer.endswith(b'{"instanceID":"a"}')


async def test_all_that_was_sent_at_once_is_answered_before_the_end(served: Served) -> None:
    async with _connected(served) as (reader, writer):
        writer.write(3 * _GET)
        writer.write_eof()
        assert (await _within_reason(reader.read())).count(b" 204 No Content") == 3


async def test_a_long_poll_of_a_caller_that_sends_no_more_is_answered_at_once(
    served: Served,
) -> None:
    await served.runtime.start("gate", instance_id="a")
    async with _connected(served) as (reader, writer):
        writer.write(f"GET {_INSTANCES}/a/wait?timeout=60 HTTP/1.1\r\nHost: localhost\r\n".encode())
        writer.write(b"\r\n")
        writer.write_eof()
        assert (await _within_reason(reader.read())).startswith(b"HTTP/1.1 202 ")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("part", [_GET[:20], _HEAD + b"Content-Length: 4\r\n\r\n12"])
async def test_a_request_that_does_not_arrive_is_given_up(
    served: Served, part: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with _connected(served) as (reader, writer):
        writer.write(part)
        assert await _within_reason(reader.read()) == b""
    assert "TIMEOUT: the request was not complete" in caplog.text


async def test_a_connection_on_which_nothing_is_asked_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_server, "_SECONDS_BETWEEN_CHECKS", 0.01)
    monkeypatch.setattr(http_server, "KEEP_ALIVE_SECONDS", 0)
    async with serving(tmp_path) as served, _connected(served) as (reader, _):
        assert await _within_reason(reader.read()) == b""
    assert "TIMEOUT" not in caplog.text


@pytest.mark.usefixtures("impatient")
async def test_a_request_under_way_may_take_its_time(served: Served) -> None:
    await served.runtime.start("gate", instance_id="a")
    path = f"{_INSTANCES}/a/wait?timeout=1"
    assert (await served.http.get(path)).json()["status"] == "RUNNING"


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_is_not_read_is_given_up(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    await served.runtime.start("echo", "x" * 7_000_000, instance_id="a")
    await served.runtime.wait("a")
    async with _connected(served) as (reader, writer):
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # streams have no such word
        writer.write(f"GET {_INSTANCES}/a HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        async with asyncio.timeout(60):
            while "the client does not read the answer" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def _idle(stack: AsyncExitStack, served: Served, count: int) -> None:
    for _ in range(count):
        await stack.enter_async_context(_connected(served))


async def test_idle_connections_make_room_for_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_server, "_most_connections", lambda: 3)
    monkeypatch.setattr(http_server, "_IDLE_SECONDS", 0.0)
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(tmp_path))
        await _idle(stack, served, 20)
        assert (await served.http.get("/v1.0/healthz", timeout=60)).status_code == 204
    lines = [
        record
        for record in caplog.records
        if "new HTTP connections have to wait" in record.getMessage()
    ]
    assert [line.levelno for line in lines] == [logging.WARNING]


async def test_where_all_are_at_work_a_new_connection_waits_for_one_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_most_connections", lambda: 2)
    async with serving(tmp_path) as served, httpx.AsyncClient(base_url=served.url) as other:
        await served.runtime.start("gate", instance_id="a")
        polls = [
            asyncio.create_task(address.get(f"{_INSTANCES}/a/wait?timeout=60", timeout=90))
            for address in (served.http, other)
        ]
        async with asyncio.timeout(60), httpx.AsyncClient(base_url=served.url) as third:
            asking = asyncio.create_task(third.get("/v1.0/healthz", timeout=60))
            await served.runtime.raise_event("a", "go")
            assert (await asking).status_code == 204
            assert [(await poll).status_code for poll in polls] == [200, 200]


async def test_a_server_that_stops_answers_what_is_under_way_and_refuses_the_rest(
    served: Served,
) -> None:
    async with _connected(served) as (reader, writer):
        writer.write(_HEAD + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert b"100 Continue" in await _within_reason(reader.readuntil(b"\r\n\r\n"))
        served.stopping.set()
        refused = await served.http.post("/v1.0/workflows/dapr/echo/start?instanceID=b")
        assert (refused.status_code, refused.headers["connection"]) == (503, "close")
        assert refused.json()["errorCode"] == "ERR_BACKEND_UNAVAILABLE"
        health = await served.http.get("/v1.0/healthz")
        assert (health.status_code, health.json()["errorCode"]) == (500, "ERR_HEALTH_NOT_READY")
        writer.write(b"1234")
        assert b" 202 Accepted" in await _within_reason(reader.readuntil(b"\r\n\r\n"))
    assert (await served.runtime.wait("a")).output == "1234"
    with pytest.raises(InstanceNotFound):
        await served.runtime.get("b")


async def test_what_is_no_http_is_answered_and_told(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async with _connected(served) as (reader, writer):
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        assert (await _within_reason(reader.read())).startswith(b"HTTP/1.1 400 ")
    assert "refused HTTP from 127.0.0.1:" in caplog.text
    assert "Invalid HTTP request" in caplog.text


def test_a_server_keeps_connections_longer_than_the_client() -> None:
    assert http_server.KEEP_ALIVE_SECONDS >= 2 * client.KEEP_ALIVE_SECONDS


@asynccontextmanager
async def _breaking_once() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads the first request and hangs up, and answers the next ones."""
    requests: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        if len(requests) > 1:
            body = b'{"events": []}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", requests


async def test_the_client_reads_again_where_the_connection_broke() -> None:
    async with _breaking_once() as (url, requests), Client(url) as caller:
        assert await caller.history("a") == []
        assert len(requests) == 2


async def test_the_client_changes_nothing_twice() -> None:
    async with _breaking_once() as (url, requests), Client(url) as caller:
        with pytest.raises(BackendUnavailable):
            await caller.raise_event("a", "go")
        assert len(requests) == 1
