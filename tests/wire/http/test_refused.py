"""What is refused: web pages of others, what is not served, and what the log says of it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import httpx
import pytest

from flowyard.server.http.bodies import BodyBudget
from wire.http.service import Served, serving

_START = "/v1.0/workflows/dapr/echo/start"
_TOKEN = "a-token"  # noqa: S105


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://example.org"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1.example.org"},
        {"host": "example.org"},
        {"host": "example.org:3500", "origin": "http://example.org:3500"},
        {"host": "[bad"},
    ],
)
async def test_a_page_of_others_cannot_call_a_server_without_a_token(
    served: Served, headers: dict[str, str]
) -> None:
    answer = await served.http.post(_START, content="1", headers=headers)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "ERR_ORIGIN_REFUSED")
    assert (await served.http.post("/v1.0/shutdown", headers=headers)).status_code == 403
    assert not served.stopping.is_set()
    assert (await served.runtime.list()).instances == ()


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost"},
        {"host": "LOCALHOST:3500"},
        {"host": "app.localhost:3500"},
        {"host": "127.0.0.1:1"},
        {"host": "[::1]:3500"},
        {"origin": "http://localhost:5173"},
    ],
)
async def test_programs_and_pages_of_this_machine_may_call(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await http.post(_START, content="1", headers=headers)).status_code == 202


async def test_further_hosts_may_be_allowed(tmp_path: Path) -> None:
    async with serving(tmp_path, allowed_hosts=["orders.example"]) as served:
        for headers in ({"host": "Orders.Example:3500"}, {"origin": "https://orders.example"}):
            answer = await served.http.post(_START, content="1", headers=headers)
            assert answer.status_code == 202
        other = await served.http.get("/v1.0/healthz", headers={"host": "example.org"})
        assert other.status_code == 403


async def test_a_server_for_other_machines_has_any_name_and_its_own_pages(tmp_path: Path) -> None:
    async with serving(tmp_path, host="0.0.0.0") as served:  # noqa: S104
        name = {"host": "orders.example:3500"}
        for origin, status in (
            (None, 202),
            ("http://orders.example", 202),
            ("http://example.org", 403),
        ):
            headers = name if origin is None else {**name, "origin": origin}
            answer = await served.http.post(_START, content="1", headers=headers)
            assert answer.status_code == status


async def test_with_a_token_pages_and_names_do_not_matter(tmp_path: Path) -> None:
    async with serving(tmp_path, token=_TOKEN) as served:
        headers = {"host": "any.example", "origin": "https://b.example", "dapr-api-token": _TOKEN}
        assert (await served.http.post(_START, headers=headers)).status_code == 202


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1.0/state/cart/k", (500, "ERR_STATE_STORE_NOT_CONFIGURED", "state store cart")),
        ("POST", "/v1.0/state/cart", (500, "ERR_STATE_STORE_NOT_CONFIGURED", "state store cart")),
        ("POST", "/v1.0/publish/bus/t", (400, "ERR_PUBSUB_NOT_CONFIGURED", "pubsub bus")),
        ("POST", "/v1.0-alpha1/publish/bulk/bus/t", (400, "ERR_PUBSUB_NOT_CONFIGURED", "pubsub")),
        ("POST", "/v1.0/bindings/mail", (500, "ERR_INVOKE_OUTPUT_BINDING", "binding mail")),
        ("GET", "/v1.0/secrets/vault/k", (500, "ERR_SECRET_STORES_NOT_CONFIGURED", "secret")),
        ("GET", "/v1.0/invoke/shop/method/x", (500, "ERR_DIRECT_INVOKE", "id: shop")),
        ("GET", "/v1.0/configuration/c", (500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "conf")),
        ("POST", "/v1.0-alpha1/lock/l", (500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store")),
        ("PUT", "/v1.0/actors/a/1/method/m", (500, "ERR_ACTOR_RUNTIME_NOT_FOUND", "actor")),
        ("GET", "/nothing/here", (404, "ERR_DIRECT_INVOKE", "nothing is served at GET /nothing")),
        ("GET", "/v1.0/state", (404, "ERR_DIRECT_INVOKE", "nothing is served")),
        ("DELETE", "/v1.0/state/cart", (404, "ERR_DIRECT_INVOKE", "nothing is served")),
        ("GET", "/v1.0/statements", (404, "ERR_DIRECT_INVOKE", "nothing is served")),
    ],
)
async def test_blocks_that_are_not_served_have_the_error_that_dapr_has(
    http: httpx.AsyncClient, method: str, path: str, expected: tuple[int, str, str]
) -> None:
    answer = await http.request(method, path)
    status, code, message = expected
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
    assert message in answer.json()["message"]


async def test_a_call_to_an_app_by_header_is_an_invocation(http: httpx.AsyncClient) -> None:
    answer = await http.get("/orders/7", headers={"dapr-app-id": "shop"})
    assert (answer.status_code, answer.json()["errorCode"]) == (500, "ERR_DIRECT_INVOKE")
    assert "id: shop" in answer.json()["message"]


async def test_a_refused_call_leaves_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = {"dapr-api-token": _TOKEN}
    async with serving(tmp_path, token=_TOKEN) as served:
        await served.http.get("/v1.0/workflows/dapr/a")
        await served.http.get("/v1.0/workflows/dapr/a", headers={"dapr-api-token": "guessed"})
        await served.http.get("/nothing", headers=token)
        await served.http.post("/v1.0/workflows/dapr/a/pause", headers=token)
        await served.http.get("/v1.0/healthz")
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 4
    assert "refused GET /v1.0/workflows/dapr/a from 127.0.0.1:" in lines[0]
    assert "dapr-api-token is missing" in lines[0]
    assert "has another token" in lines[1]
    assert "nothing is served at GET /nothing" in lines[2]
    assert "ERR_PAUSE_WORKFLOW: " in lines[3]
    assert "guessed" not in caplog.text
    assert _TOKEN not in caplog.text


async def test_at_debug_each_call_is_one_line(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "flowyard")
    await served.http.post(_START, content="1")
    (line,) = [record.getMessage() for record in caplog.records if _START in record.getMessage()]
    assert line.startswith(f"POST {_START} from 127.0.0.1:")
    assert ": 202 in " in line


async def test_large_bodies_wait_for_each_other_in_the_order_of_coming() -> None:
    budget = BodyBudget(10)
    await budget.take(8)
    large = asyncio.create_task(budget.take(9))
    small = asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    assert {large.done(), small.done()} == {False}
    budget.give(8)
    await asyncio.gather(large, small)


async def test_large_bodies_at_once_are_all_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    take = BodyBudget.take

    async def counting(budget: BodyBudget, size: int) -> None:
        await take(budget, size)
        taken.append(budget._used)

    monkeypatch.setattr("flowyard.server.http.bodies._LEAST", 0)
    monkeypatch.setattr(BodyBudget, "take", counting)
    async with serving(tmp_path, max_body=1_000_000) as served:
        body = '"' + "x" * 600_000 + '"'
        answers = await asyncio.gather(
            *(served.http.post(_START, content=body, timeout=60) for _ in range(5))
        )
        failed = await served.http.post("/v1.0/workflows/dapr/none/start", content=body)
        assert failed.status_code == 404
        again = await served.http.post(_START, content=body)
    assert [answer.status_code for answer in [*answers, again]] == [202] * 6
    assert taken == [600_002] * 7
