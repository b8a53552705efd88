"""Output bindings over HTTP, as Dapr's clients call them (docs/protocol.md §17)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wire.app.served import Sidecar, component, serving
from wire.app.service import running

_PATH = "/v1.0/bindings"


async def _outside(request: Request) -> Response:
    body = await request.body()
    headers = {"x-got": body.decode(), "x-trace": request.headers.get("traceparent", "")}
    return Response(body, int(request.query_params.get("status", "200")), headers)


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Sidecar]:
    app = Starlette(routes=[Route("/{path:path}", _outside, methods=["POST"])])
    async with running(app) as port:
        documents = [
            component("files", "bindings.localstorage", rootPath=str(tmp_path / "files")),
            component("web", "bindings.http", url=f"http://127.0.0.1:{port}/"),
            component("cron", "bindings.cron", schedule="@yearly"),
            component("queue", "bindings.kafka", brokers="b"),
        ]
        async with serving(tmp_path, documents) as sidecar:
            yield sidecar


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_the_answer_is_that_of_the_binding(sidecar: Sidecar, method: str) -> None:
    body = {"operation": "create", "data": "tea", "metadata": {"fileName": "a.txt"}}
    answer = await sidecar.http.request(method, f"{_PATH}/files", json=body)
    assert (answer.status_code, answer.json()) == (200, {"fileName": "a.txt"})
    assert answer.headers["content-type"] == "application/json"
    read = {"operation": "get", "metadata": {"fileName": "a.txt"}}
    assert (await sidecar.http.post(f"{_PATH}/files", json=read)).content == b"tea"
    gone = {"operation": "delete", "metadata": {"fileName": "a.txt"}}
    answer = await sidecar.http.post(f"{_PATH}/files", json=gone)
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ('{"operation": "post", "data": {"b": 1.50, "a": 9007199254740993}}', None),
        ('{"operation": "post", "data": "text"}', '"text"'),
        ('{"operation": "post", "data": "a < b"}', '"a < b"'),
        ('{"operation": "post"}', "null"),
        ('{"Operation": "post", "DATA": [1 , 2], "METADATA": {"path": "x"}}', "[1 , 2]"),
        ('{"operation": "post", "data": null, "metadata": null, "more": 1}', "null"),
    ],
)
async def test_data_are_the_json_text_that_was_sent(
    sidecar: Sidecar, body: str, sent: str | None
) -> None:
    answer = await sidecar.http.post(f"{_PATH}/web", content=body)
    assert answer.status_code == 200
    assert answer.text == (sent or '{"b": 1.50, "a": 9007199254740993}')


async def test_metadata_of_the_answer_are_headers_also_of_an_error(sidecar: Sidecar) -> None:
    body = {"operation": "post", "data": 1, "metadata": {"path": "?status=404"}}
    answer = await sidecar.http.post(f"{_PATH}/web", json=body)
    assert answer.status_code == 500
    assert answer.json() == {
        "errorCode": "ERR_INVOKE_OUTPUT_BINDING",
        "message": "error invoking output binding web: received status code 404",
    }
    assert answer.headers["metadata.statusCode"] == "404"
    assert answer.headers["metadata.X-Got"] == "1"
    answer = await sidecar.http.post(f"{_PATH}/web", json={"operation": "post", "data": 1})
    assert answer.headers["metadata.status"] == "200 OK"


async def test_the_span_of_the_caller_goes_on(sidecar: Sidecar) -> None:
    span = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await sidecar.http.post(
        f"{_PATH}/web", json={"operation": "post"}, headers={"traceparent": span}
    )
    assert answer.headers["metadata.X-Trace"] == span


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("files", "{}", "operation field is missing from request"),
        (
            "files",
            '{"operation": "burn"}',
            "does not support operation burn. supported operations:create delete get list",
        ),
        ("files", '{"operation": "get", "metadata": {"fileName": "x"}}', "file not found: "),
        ("cron", '{"operation": "create"}', "couldn't find output binding cron"),
        ("none", '{"operation": "create"}', "couldn't find output binding none"),
        ("queue", '{"operation": "create"}', "'bindings.kafka' is not installed"),
        ("queue", '{"operation": "create"}', "--dapr"),
    ],
)
async def test_what_does_not_succeed_is_told_in_daprs_words(
    sidecar: Sidecar, name: str, body: str, text: str
) -> None:
    answer = await sidecar.http.post(f"{_PATH}/{name}", content=body)
    told = answer.json()
    assert (answer.status_code, told["errorCode"]) == (500, "ERR_INVOKE_OUTPUT_BINDING")
    assert told["message"].startswith(f"error invoking output binding {name}: ")
    assert text in told["message"]


@pytest.mark.parametrize("body", ["{", "[]", '{"metadata": {"n": 1}}', '{"operation": 1}', ""])
async def test_a_body_that_cannot_be_read_is_refused(sidecar: Sidecar, body: str) -> None:
    answer = await sidecar.http.post(f"{_PATH}/files", content=body)
    told = answer.json()
    assert (answer.status_code, told["errorCode"]) == (400, "ERR_MALFORMED_REQUEST")
    assert told["message"].startswith("failed deserializing HTTP body: ")


async def test_the_token_guards_bindings(tmp_path: Path) -> None:
    files = component("files", "bindings.localstorage", rootPath=str(tmp_path / "files"))
    async with serving(tmp_path, [files], token="a-token") as sidecar:  # noqa: S106
        body = {"operation": "list"}
        answer = await sidecar.http.post(f"{_PATH}/files", json=body)
        assert answer.status_code == 401
        headers = {"dapr-api-token": "a-token"}
        answer = await sidecar.http.post(f"{_PATH}/files", json=body, headers=headers)
        assert answer.text == "null"
