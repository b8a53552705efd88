"""Service invocation over HTTP (docs/protocol.md §18)."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from wire.app.served import Sidecar, endpoint, serving
from wire.app.service import free_port, running
from wire.app.target import CHUNK, CHUNKS, Target

_OWN = "/v1.0/invoke/shop/method"
_PATIENCE = 30.0


@pytest.fixture
def target() -> Target:
    """The application beside the server."""
    return Target()


@pytest.fixture
async def other() -> AsyncIterator[str]:
    """Another server, by its URL."""
    async with running(Target()) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def sidecar(tmp_path: Path, target: Target, other: str) -> AsyncIterator[Sidecar]:
    """A server with both."""
    documents = [
        endpoint("stock", f"{other}/base/", headers=[{"name": "X-Key", "value": "a-key"}]),
        endpoint("away", f"http://127.0.0.1:{free_port()}"),
    ]
    async with serving(tmp_path, documents, target) as sidecar:
        yield sidecar


def _sent(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_any_verb_reaches_the_own_application(sidecar: Sidecar, verb: str) -> None:
    body = None if verb in {"GET", "TRACE", "OPTIONS"} else b"\xfftea"
    answer = await sidecar.http.request(verb, f"{_OWN}/a/b?x=1&y=%20", content=body)
    sent = _sent(answer)
    assert (sent["method"], sent["path"], sent["query"]) == (verb, "/a/b", "x=1&y=%20")
    assert sent["body"] == ("\xfftea" if body else "")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get_list("x-two") == ["1", "2"]


async def test_head_has_the_headers_of_the_answer(sidecar: Sidecar) -> None:
    answer = await sidecar.http.head(f"{_OWN}/204")
    assert (answer.status_code, answer.headers["x-tea"]) == (204, "green")


@pytest.mark.parametrize(
    ("path", "headers", "reached"),
    [
        (f"{_OWN}/x", {}, "/x"),
        ("/v1.0/invoke/shop.default/method/x", {}, "/x"),
        ("/x", {"dapr-app-id": "shop"}, "/x"),
        ("/v1.0/orders//7/", {"dapr-app-id": "shop"}, "/v1.0/orders/7/"),
        ("/", {"dapr-app-id": "shop"}, "/"),
        (
            "/x",
            {"authorization": "Basic " + base64.b64encode(b"dapr-app-id:shop").decode()},
            "/x",
        ),
        ("/v1.0/invoke/stock/method/x", {}, "/base/x"),
        ("/x", {"dapr-app-id": "stock"}, "/base/x"),
        (f"{_OWN}/a%20b/%C3%A9", {}, "/a%20b/%C3%A9"),
        (f"{_OWN}/a%2Fb", {}, "/a/b"),
        (f"{_OWN}/a/method/b", {}, "/a/method/b"),
        (f"{_OWN}/", {}, "/"),
    ],
)
async def test_whom_a_call_is_for_stands_in_the_path_or_in_a_header(
    sidecar: Sidecar, path: str, headers: dict[str, str], reached: str
) -> None:
    sent = _sent(await sidecar.http.post(path, headers=headers, content=b"tea"))
    assert (sent["path"], sent["body"]) == (reached, "tea")


@pytest.mark.parametrize("form", ["{}", "{encoded}", "{cleaned}", "{}/"])
async def test_a_url_may_be_called(sidecar: Sidecar, other: str, form: str) -> None:
    target = form.format(
        other,
        encoded=other.replace(":", "%3A").replace("/", "%2F"),
        cleaned=other.replace("//", "/"),
    )
    sent = _sent(await sidecar.http.get(f"/v1.0/invoke/{target}/method/x/y?z=1"))
    assert (sent["path"], sent["query"]) == ("/x/y", "z=1")


async def test_headers_go_on_but_for_those_of_the_connection_and_the_token(
    tmp_path: Path, target: Target, other: str
) -> None:
    documents = [endpoint("stock", other, headers=[{"name": "X-Key", "value": "a-key"}])]
    token = "a-token"  # noqa: S105
    given = {
        "dapr-api-token": token,
        "X-One": "1",
        "X-Key": "of the caller",
        "Connection": "X-Gone, keep-alive",
        "X-Gone": "1",
        "TE": "trailers",
        "Cookie": "a=1; b=2",
        "grpc-trace-bin": "AAA=",
        "destination-app-id": "x",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Content-Type": "text/x",
    }
    async with serving(tmp_path, documents, target, token=token) as sidecar:
        assert (await sidecar.http.get(f"{_OWN}/x")).status_code == 401
        own = await sidecar.http.post(f"{_OWN}/x", content=b"tea", headers=given)
        path = "/v1.0/invoke/stock/method/x"
        there = await sidecar.http.post(path, content=b"tea", headers=given)
    for answer, key in ((own, "of the caller"), (there, "a-key")):
        sent = _sent(answer)["headers"]
        assert token not in str(sent)
        assert sent["x-one"] == "1"
        assert sent["x-key"] == key
        assert sent["cookie"] == "a=1; b=2"
        assert sent["content-type"] == "text/x"
        assert sent["content-length"] == "3"
        assert sent["traceparent"].startswith("00-0af7")
        assert not sent.keys() & {
            "x-gone",
            "te",
            "grpc-trace-bin",
            "destination-app-id",
            "dapr-caller-app-id",
        }
        assert "keep-alive" not in answer.headers


async def test_the_application_is_told_its_own_token(tmp_path: Path, target: Target) -> None:
    from flowyard.server.app_channel import AppAddress

    async with running(target) as port:
        address = AppAddress(port, token="of-the-app")  # noqa: S106
        async with serving(tmp_path, app_address=address) as sidecar:
            sent = _sent(await sidecar.http.get(f"{_OWN}/x"))
    assert sent["headers"]["dapr-api-token"] == "of-the-app"


@pytest.mark.parametrize("status", [201, 204, 304, 400, 404, 418, 500, 503])
async def test_any_status_is_that_of_the_application(sidecar: Sidecar, status: int) -> None:
    answer = await sidecar.http.get(f"{_OWN}/{status}")
    assert (answer.status_code, answer.headers["x-tea"]) == (status, "green")
    assert answer.text == ("" if status in {204, 304} else "as asked")


@pytest.mark.parametrize("path", [f"{_OWN}/redirect", "/v1.0/invoke/stock/method/redirect"])
async def test_a_redirect_is_the_callers_to_follow(sidecar: Sidecar, path: str) -> None:
    answer = await sidecar.http.get(path)
    assert (answer.status_code, answer.text) == (302, "go there")
    assert answer.headers["location"] == "http://example.org/elsewhere"


@pytest.mark.parametrize("name", ["shop", "stock"])
async def test_a_large_answer_comes_as_it_is_sent(sidecar: Sidecar, name: str) -> None:
    size = 0
    async with sidecar.http.stream("GET", f"/v1.0/invoke/{name}/method/large") as answer:
        assert answer.status_code == 200
        async for chunk in answer.aiter_raw():
            size += len(chunk)
    assert size == CHUNKS * len(CHUNK)


async def test_a_large_body_goes_on_as_it_comes(sidecar: Sidecar, target: Target) -> None:
    half = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for number in range(CHUNKS):
            if number == CHUNKS // 2:
                # The application has the first half before the second is sent.
                async with asyncio.timeout(_PATIENCE):
                    while target.received < number * len(CHUNK):  # noqa: ASYNC110
                        await asyncio.sleep(0.001)
                half.set()
            yield CHUNK

    answer = await sidecar.http.post(f"{_OWN}/count", content=body(), timeout=_PATIENCE)
    assert half.is_set()
    # More than the limit of what the server itself takes.
    assert int(answer.text) == CHUNKS * len(CHUNK)


async def test_a_call_that_is_never_answered_ends_with_its_caller(
    sidecar: Sidecar, target: Target
) -> None:
    call = asyncio.create_task(sidecar.http.post(f"{_OWN}/never", content=b"tea", timeout=None))
    async with asyncio.timeout(_PATIENCE):
        await target.begun.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await target.ended.wait()
    assert (await sidecar.http.get("/v1.0/healthz")).status_code == 204


async def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(sidecar: Sidecar) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await sidecar.http.get(f"{_OWN}/broken")


@pytest.mark.parametrize(
    ("path", "headers", "status", "text"),
    [
        (
            "/v1.0/invoke/other/method/x",
            {},
            500,
            "failed to invoke, id: other, err: no application",
        ),
        ("/x", {"dapr-app-id": "other"}, 500, "failed to invoke, id: other, err: "),
        ("/v1.0/invoke/other/method/x", {}, 500, "--dapr"),
        ("/v1.0/invoke/away/method/x", {}, 500, "failed to invoke, id: away, err: no answer"),
        (f"{_OWN}/a%2F..%2Fb", {}, 400, "is not valid"),
        (f"{_OWN}/a%3Fb", {}, 400, "is not valid"),
        (f"{_OWN}/a%23b", {}, 400, "is not valid"),
        (f"{_OWN}/a%0Ab", {}, 400, "is not valid"),
        (f"{_OWN}/a%FF", {}, 400, "is not text"),
        ("/v1.0/invoke/ftp://host/method/x", {}, 500, "failed to invoke, id: ftp"),
        ("/v1.0/invoke/http://host:port/method/x", {}, 400, "cannot be called"),
        ("/v1.0/invoke/shop", {}, 500, "failed to invoke"),
        ("/nothing", {}, 404, "nothing is served at POST /nothing"),
    ],
)
async def test_a_call_that_cannot_be_made_is_told_in_daprs_words(
    sidecar: Sidecar, path: str, headers: dict[str, str], status: int, text: str
) -> None:
    answer = await sidecar.http.post(path, headers=headers)
    told = answer.json()
    assert (answer.status_code, told["errorCode"]) == (status, "ERR_DIRECT_INVOKE")
    assert text in told["message"]


async def test_without_a_port_of_the_application_the_error_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as sidecar:
        answer = await sidecar.http.get(f"{_OWN}/x")
    assert (answer.status_code, answer.json()["errorCode"]) == (500, "ERR_DIRECT_INVOKE")
    assert "app channel not initialized" in answer.json()["message"]
    assert "--app-port" in answer.json()["message"]
    lines = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 1


async def test_other_routes_stay_ours_whatever_the_headers(sidecar: Sidecar) -> None:
    answer = await sidecar.http.get("/v1.0/metadata", headers={"dapr-app-id": "shop"})
    assert answer.json()["id"] == "shop"


async def test_scopes_keep_an_endpoint_from_other_applications(tmp_path: Path, other: str) -> None:
    documents = [{**endpoint("stock", other), "scopes": ["another"]}]
    async with serving(tmp_path, documents) as sidecar:
        answer = await sidecar.http.get("/v1.0/invoke/stock/method/x")
    assert answer.status_code == 500
    assert "no HTTPEndpoint has this name" in answer.json()["message"]
