"""Bindings and methods of applications in process, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from pydantic import BaseModel

from flowyard import (
    ActivityContext,
    App,
    BackendUnavailable,
    BindingFailed,
    ComponentNotFound,
    ComponentTypeNotInstalled,
    InvalidRequest,
    InvocationFailed,
    PayloadError,
    Runtime,
    SyncRuntime,
    WorkflowContext,
)
from flowyard.config import Components, ComponentSpec, HttpEndpoint
from wire.app.service import free_port, running
from wire.app.target import CHUNK, CHUNKS, Target


def _components(folder: Path, url: str = "http://127.0.0.1:1") -> Components:
    database = {"connectionString": f"sqlite:///{folder}/flowyard.db"}
    return Components(
        (ComponentSpec("engine", "workflow.engine", metadata=database),),
        (
            ComponentSpec(
                "files", "bindings.localstorage", metadata={"rootPath": str(folder / "files")}
            ),
            ComponentSpec("cron", "bindings.cron", metadata={"schedule": "@daily"}),
            ComponentSpec("queue", "bindings.kafka"),
        ),
        (HttpEndpoint("stock", f"{url}/base", {"X-Key": "a-key"}),),
    )


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with running(Target()) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def runtime(tmp_path: Path, url: str) -> AsyncIterator[Runtime]:
    async with Runtime.open(_components(tmp_path, url)) as runtime:
        yield runtime


@pytest.mark.parametrize(
    ("data", "stored"),
    [(b"\xff", b"\xff"), ("a text", b"a text"), ({"a": 1}, b'{"a":1}'), (None, b"null")],
)
async def test_a_binding_is_given_bytes_text_or_json(
    runtime: Runtime, data: object, stored: bytes
) -> None:
    name = {"fileName": "a"}
    if data is None:
        stored = b"\x9e\xe9e"  # what base64 makes of it
    await runtime.invoke_binding("files", "create", data, name)
    assert (await runtime.invoke_binding("files", "get", binding_metadata=name)).data == stored


async def test_a_binding_that_cannot_do_it_is_an_error(runtime: Runtime) -> None:
    with pytest.raises(BindingFailed, match="file not found"):
        await runtime.invoke_binding("files", "get", b"", {"fileName": "none"})
    with pytest.raises(InvalidRequest, match="does not support operation burn"):
        await runtime.invoke_binding("files", "burn")
    with pytest.raises(ComponentNotFound, match="Known: 'files'"):
        await runtime.invoke_binding("cron", "create")
    with pytest.raises(ComponentNotFound, match="Did you mean 'files'"):
        await runtime.invoke_binding("file", "create")
    with pytest.raises(ComponentTypeNotInstalled, match=r"bindings\.kafka"):
        await runtime.invoke_binding("queue", "create")
    with pytest.raises(PayloadError, match="data is not JSON"):
        await runtime.invoke_binding("files", "create", object())


class _Told(BaseModel):
    method: str
    path: str
    query: str
    body: str
    headers: dict[str, str]


async def test_a_method_is_called_on_an_endpoint_or_a_url(runtime: Runtime, url: str) -> None:
    answer = await runtime.invoke_method(
        "stock",
        "orders/7?x=1",
        {"item": "tea"},
        metadata={"X-One": "1", "dapr-api-token": "a-token"},
        http_verb="put",
        http_querystring={"y": "a b"},
    )
    told = answer.json(_Told)
    assert (told.method, told.path, told.query) == ("PUT", "/base/orders/7", "x=1&y=a+b")
    assert told.body == '{"item":"tea"}'
    assert told.headers["content-type"] == "application/json"
    assert told.headers["x-key"] == "a-key"
    assert told.headers["x-one"] == "1"
    assert "dapr-api-token" not in told.headers
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    plain = await runtime.invoke_method(url, "x", "tea", content_type="text/x")
    assert plain.json()["method"] == "GET"
    assert plain.json()["headers"]["content-type"] == "text/x"
    large = await runtime.invoke_method(url, "large")
    assert len(large.data) == CHUNKS * len(CHUNK)
    with pytest.raises(PayloadError, match="not JSON"):
        large.json()


@pytest.mark.parametrize(("status", "data"), [(404, b"as asked"), (500, b"as asked"), (304, b"")])
async def test_another_status_is_an_error_that_tells_the_answer(
    runtime: Runtime, status: int, data: bytes
) -> None:
    with pytest.raises(InvocationFailed, match=f"id: stock, err: status {status}") as caught:
        await runtime.invoke_method("stock", str(status))
    assert (caught.value.status, caught.value.data) == (status, data)


async def test_a_call_that_cannot_be_made_is_an_error(runtime: Runtime, url: str) -> None:
    with pytest.raises(InvocationFailed, match="no HTTPEndpoint of this name") as caught:
        await runtime.invoke_method("other", "x")
    assert caught.value.status is None
    with pytest.raises(InvocationFailed, match="app channel not initialized"):
        await runtime.invoke_method("flowyard", "x")
    with pytest.raises(InvalidRequest, match="is not valid"):
        await runtime.invoke_method("stock", "../x")
    with pytest.raises(InvalidRequest, match="a header cannot be sent"):
        await runtime.invoke_method("stock", "x", metadata={"X One": "1"})
    with pytest.raises(BackendUnavailable, match="no answer from http://127"):
        await runtime.invoke_method(f"http://127.0.0.1:{free_port()}", "x")
    with pytest.raises(BackendUnavailable, match=r"within 0\.02 s"):
        await runtime.invoke_method("stock", "never", timeout=0.02)
    with pytest.raises(BackendUnavailable, match="no answer"):
        await runtime.invoke_method(url, "broken")


async def test_a_runtime_without_blocks_calls_urls(tmp_path: Path, url: str) -> None:
    engine = _components(tmp_path).specs
    async with Runtime.open(engine) as runtime:
        assert (await runtime.invoke_method(url, "x")).status_code == 200
        with pytest.raises(ComponentNotFound):
            await runtime.invoke_binding("files", "get")


async def test_activities_have_the_same_calls(tmp_path: Path, url: str) -> None:
    app = App()

    @app.activity
    async def keep(ctx: ActivityContext, item: str) -> str:
        answer = await ctx.invoke_method("stock", "x", item, http_verb="POST")
        await ctx.invoke_binding("files", "create", answer.json()["body"], {"fileName": "a"})
        return str(answer.json()["body"])

    @app.activity
    def read(ctx: ActivityContext) -> str:
        data = ctx.sync.invoke_binding("files", "get", b"", {"fileName": "a"}).data or b""
        return f"{data.decode()} {ctx.sync.invoke_method('stock', '200').text()}"

    @app.workflow
    async def order(ctx: WorkflowContext, item: str) -> Sequence[str]:
        return [await ctx.call_activity(keep, input=item), await ctx.call_activity(read)]

    async with Runtime.open(_components(tmp_path, url), app) as runtime:
        state = await runtime.wait(await runtime.start(order, "green tea"))
    assert state.result() == ["green tea", "green tea as asked"]


async def test_scripts_have_them_without_await(tmp_path: Path, url: str) -> None:
    def script() -> tuple[bytes | None, str]:
        with SyncRuntime.open(_components(tmp_path, url)) as runtime:
            name = {"fileName": "a"}
            runtime.invoke_binding("files", "create", "green tea", name)
            data = runtime.invoke_binding("files", "get", b"", name).data
            return data, runtime.invoke_method("stock", "200").text()

    assert await asyncio.to_thread(script) == (b"green tea", "as asked")
