"""Events of input bindings reach the application (docs/protocol.md §17)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.empty_pb2 import Empty
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blocks.bindings.opening import opened
from flowyard.blocks.blocks import Blocks
from flowyard.server.app import open_app
from flowyard.server.app_channel import AppAddress
from flowyard.server.input_bindings import input_bindings
from flowyard.testing import VirtualClock
from flowyard.wire.v1 import bindings_pb2 as wire
from wire.app.served import component, serving
from wire.app.service import free_port, running

_PATIENCE = 30.0


class App:
    """An application that notes what it is asked."""

    def __init__(self, options: int = 200, post: int = 200) -> None:
        self.calls: asyncio.Queue[tuple[str, str, dict[str, str], bytes]] = asyncio.Queue()
        self.options = options
        self.post = post
        self.asgi = Starlette(routes=[Route("/{path:path}", self._note, methods=_VERBS)])

    async def _note(self, request: Request) -> Response:
        body = await request.body()
        await self.calls.put((request.method, request.url.path, dict(request.headers), body))
        return Response(status_code=self.options if request.method == "OPTIONS" else self.post)

    async def next(self) -> tuple[str, str, dict[str, str], bytes]:
        async with asyncio.timeout(_PATIENCE):
            return await self.calls.get()


_VERBS = ["OPTIONS", "POST"]


@asynccontextmanager
async def _reading(app: App, **metadata: str) -> AsyncIterator[VirtualClock]:
    clock = VirtualClock()
    async with (
        running(app.asgi) as port,
        opened("cron", clock, schedule="@every 10s", **metadata) as cron,
        open_app(AppAddress(port), 1000) as channel,
        input_bindings(Blocks(bindings={"outside": cron}), channel, AppAddress(port)),
    ):
        yield clock


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 - it becomes so elsewhere
            await asyncio.sleep(0.001)


def _contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir()]


async def _tick(clock: VirtualClock) -> None:
    # Once an alarm is set, the binding is read.
    await _until(lambda: clock.next_alarm is not None)
    clock.advance_to(clock.next_alarm or 0)


async def test_the_application_is_asked_and_then_gets_each_event() -> None:
    app = App()
    async with _reading(app) as clock:
        verb, path, headers, _ = await app.next()
        assert (verb, path) == ("OPTIONS", "/outside")
        for second in (10, 20):
            await _tick(clock)
            verb, path, headers, body = await app.next()
            assert (verb, path, body) == ("POST", "/outside", b"")
            assert headers["content-type"] == "application/json"
            assert headers["timezone"] == "UTC"
            assert headers["readtimeutc"] == f"2030-01-01 00:00:{second}.000000 +0000 UTC"


@pytest.mark.parametrize("status", [200, 204, 405])
async def test_it_says_by_its_status_that_it_wants_them(status: int) -> None:
    app = App(options=status)
    async with _reading(app, route="/events/cron") as clock:
        assert (await app.next())[:2] == ("OPTIONS", "/events/cron")
        await _tick(clock)
        assert (await app.next())[:2] == ("POST", "/events/cron")


@pytest.mark.parametrize("status", [404, 500])
async def test_it_says_by_its_status_that_it_does_not(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flowyard")
    app = App(options=status)
    async with _reading(app) as clock:
        assert (await app.next())[0] == "OPTIONS"
        await _until(lambda: "does not want" in caplog.text)
        assert clock.next_alarm is None


@pytest.mark.parametrize("direction", ["input", "input, output", "OUTPUT,INPUT"])
async def test_with_the_direction_nobody_is_asked(direction: str) -> None:
    app = App(options=404)
    async with _reading(app, direction=direction) as clock:
        await _tick(clock)
        assert (await app.next())[:2] == ("POST", "/outside")


async def test_with_the_other_direction_nothing_is_read() -> None:
    app = App()
    async with _reading(app, direction="output") as clock:
        await asyncio.sleep(0)
        assert clock.next_alarm is None
    assert app.calls.empty()


async def test_an_event_that_is_not_taken_is_told_and_the_next_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = App(post=500)
    async with _reading(app, direction="input") as clock:
        for _ in range(3):
            await _tick(clock)
            assert (await app.next())[0] == "POST"
    assert "a tick was not taken: the application answered 500 to POST /outside" in caplog.text


async def test_an_application_that_comes_late_is_waited_for() -> None:
    app, clock, address = App(), VirtualClock(), AppAddress(free_port())
    async with (
        opened("cron", clock, schedule="@every 10s") as cron,
        open_app(address, 1000) as channel,
        input_bindings(Blocks(bindings={"outside": cron}), channel, address),
    ):
        await asyncio.sleep(0)
        assert clock.next_alarm is None
        async with running(app.asgi, address.port):
            assert (await app.next())[0] == "OPTIONS"
            await _tick(clock)
            assert (await app.next())[0] == "POST"


async def test_without_a_port_of_the_application_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, [component("cron", "bindings.cron", schedule="@daily")]):
        pass
    assert "nobody takes the events of binding 'cron'" in caplog.text
    assert "--app-port" in caplog.text


async def test_a_server_hands_over_what_the_quickstart_reads(tmp_path: Path) -> None:
    app = App()
    cron = component("cron", "bindings.cron", schedule="@every 1s", direction="input")
    async with serving(tmp_path, [cron], app.asgi):
        assert (await app.next())[:2] == ("POST", "/cron")


@asynccontextmanager
async def _grpc_app(
    answers: dict[str, Callable[[bytes], Awaitable[bytes]]],
) -> AsyncIterator[int]:
    def handler(answer: Callable[[bytes], Awaitable[bytes]]) -> Any:
        async def call(request: bytes, _context: object) -> bytes:
            return await answer(request)

        return grpc.unary_unary_rpc_method_handler(call, None, None)

    server = grpc.aio.server()
    handlers = {name: handler(answer) for name, answer in answers.items()}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("dapr.proto.runtime.v1.AppCallback", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def test_an_application_that_speaks_grpc_names_its_bindings_and_sends_on(
    tmp_path: Path,
) -> None:
    events: asyncio.Queue[wire.BindingEventRequest] = asyncio.Queue()
    clock = VirtualClock()

    async def names(request: bytes) -> bytes:
        assert Empty.FromString(request) == Empty()
        return wire.ListInputBindingsResponse(bindings=["outside"]).SerializeToString()

    async def take(request: bytes) -> bytes:
        await events.put(wire.BindingEventRequest.FromString(request))
        return wire.BindingEventResponse(to=["files"], data=b"from the app").SerializeToString()

    async with (
        _grpc_app({"ListInputBindings": names, "OnBindingEvent": take}) as port,
        opened("cron", clock, schedule="@every 10s") as cron,
        opened("localstorage", rootPath=str(tmp_path)) as files,
        open_app(AppAddress(port, "grpc"), 1000) as channel,
        input_bindings(
            Blocks(bindings={"outside": cron, "files": files}), channel, AppAddress(port, "grpc")
        ),
    ):
        await _tick(clock)
        async with asyncio.timeout(_PATIENCE):
            event = await events.get()
            assert (event.name, event.metadata["timeZone"]) == ("outside", "UTC")
        await _until(lambda: _contents(tmp_path) == [b"from the app"])


async def test_one_that_has_no_bindings_gets_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flowyard")
    clock = VirtualClock()
    async with (
        _grpc_app({}) as port,
        opened("cron", clock, schedule="@every 10s") as cron,
        open_app(AppAddress(port, "grpc"), 1000) as channel,
        input_bindings(Blocks(bindings={"outside": cron}), channel, AppAddress(port, "grpc")),
    ):
        await _until(lambda: "does not want" in caplog.text)
    assert clock.next_alarm is None
