"""State and secrets over HTTP, as daprd answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from blocks.stores import PLAIN, SILENT
from flowyard.config import ComponentSpec
from wire.http.service import serving

_STATE = "/v1.0/state/cart"
_SECRETS = "/v1.0/secrets"


@pytest.fixture
async def http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Calls a server that has state stores and secret stores."""
    monkeypatch.setenv("SHOP_KEY", "from the environment")
    monkeypatch.setenv("APP_API_TOKEN", "not to be given out")
    monkeypatch.setenv("DAPR_API_TOKEN", "not to be given out")
    file = tmp_path / "secrets.json"
    file.write_text('{"db": {"password": "p", "port": 5432}, "plain": "text", "on": true}')
    blocks = [
        ComponentSpec("cart", "state.in-memory"),
        ComponentSpec("plain", "state.plain"),
        ComponentSpec("silent", "state.silent"),
        ComponentSpec("elsewhere", "state.aws.dynamodb"),
        ComponentSpec("env", "secretstores.local.env"),
        ComponentSpec("shop", "secretstores.local.env", metadata={"prefix": "SHOP_"}),
        ComponentSpec("flat", "secretstores.local.file", metadata={"secretsFile": str(file)}),
        ComponentSpec(
            "deep",
            "secretstores.local.file",
            metadata={"secretsFile": str(file), "multiValued": True},
        ),
    ]
    async with serving(tmp_path, blocks=blocks, component_types=[PLAIN, SILENT]) as served:
        yield served.http


async def save(http: httpx.AsyncClient, body: str | list[Any], store: str = "cart") -> int:
    text = body if isinstance(body, str) else json.dumps(body)
    return (await http.post(f"/v1.0/state/{store}", content=text)).status_code


@pytest.mark.parametrize(
    "value",
    [
        "12345678901234567890123",
        "0.1234567890123",
        "1.50",
        '{"b": 1,  "a": [1.0, null]}',
        '"text"',
        "null",
        '"<&>"',
    ],
)
async def test_a_value_comes_back_as_the_text_that_was_sent(
    http: httpx.AsyncClient, value: str
) -> None:
    assert await save(http, f'[{{"key": "k", "value": {value}}}]') == 204
    answer = await http.get(f"{_STATE}/k")
    assert (answer.status_code, answer.text) == (200, value)
    assert answer.headers["content-type"] == "application/json"


async def test_a_missing_value_is_no_content(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{_STATE}/k")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await http.delete(f"{_STATE}/k")).status_code == 204


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_both_methods_save_and_the_case_of_keys_does_not_count(
    http: httpx.AsyncClient, method: str
) -> None:
    body = '[{"Key": "k", "VALUE": 7, "contentType": "x", "options": {}, "etag": null}]'
    answer = await http.request(method, f"{_STATE}?", content=body)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await http.get(f"{_STATE}/k?")).text == "7"


@pytest.mark.parametrize("body", ["[]", "null"])
async def test_nothing_to_save_is_no_error(http: httpx.AsyncClient, body: str) -> None:
    assert await save(http, body) == 204


async def test_a_value_that_is_left_out_is_null(http: httpx.AsyncClient) -> None:
    assert await save(http, [{"key": "k"}]) == 204
    assert (await http.get(f"{_STATE}/k")).text == "null"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[1]",
        "[{",
        "[] trailing",
        '[{"value": 1}]',
        '[{"key": "", "value": 1}]',
        '[{"key": 5, "value": 1}]',
        '[{"key": "k", "value": NaN}]',
        '[{"key": "k", "value": 1, "metadata": {"ttlInSeconds": 5}}]',
        '[{"key": "k", "value": 1, "options": []}]',
        '[{"key": "k", "value": ' + "[" * 100_000,
    ],
)
async def test_a_body_that_cannot_be_understood_is_malformed_and_saves_nothing(
    http: httpx.AsyncClient, body: str
) -> None:
    answer = await http.post(_STATE, content=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "ERR_MALFORMED_REQUEST")
    assert (await http.get(f"{_STATE}/k")).status_code == 204


async def test_a_key_with_the_separator_is_refused_with_the_details(
    http: httpx.AsyncClient,
) -> None:
    message = "input key/keyPrefix 'a||b' can't contain '||'"
    google = "type.googleapis.com/google.rpc."
    for answer in (
        await http.get(f"{_STATE}/a%7C%7Cb"),
        await http.delete(f"{_STATE}/a%7C%7Cb"),
        await http.post(_STATE, json=[{"key": "a||b", "value": 1}]),
        await http.post(f"{_STATE}/bulk", json={"keys": ["a||b"]}),
    ):
        assert answer.status_code == 400
        assert answer.json() == {
            "errorCode": "ERR_MALFORMED_REQUEST",
            "message": message,
            "details": [
                {
                    "@type": f"{google}ErrorInfo",
                    "reason": "DAPR_STATE_ILLEGAL_KEY",
                    "domain": "dapr.io",
                    "metadata": {},
                },
                {
                    "@type": f"{google}ResourceInfo",
                    "resource_type": "state",
                    "resource_name": "cart",
                    "owner": "",
                    "description": "",
                },
                {
                    "@type": f"{google}BadRequest",
                    "field_violations": [{"field": "a||b", "description": message}],
                },
            ],
        }


async def test_an_unknown_store_is_not_found_and_one_that_is_not_installed_says_so(
    http: httpx.AsyncClient,
) -> None:
    unknown = await http.get("/v1.0/state/other/k")
    assert unknown.status_code == 400
    assert unknown.json()["errorCode"] == "ERR_STATE_STORE_NOT_FOUND"
    assert unknown.json()["message"].startswith("state store other is not found. ")
    assert unknown.json()["details"][0]["reason"] == "DAPR_STATE_NOT_FOUND"
    missing = await http.post("/v1.0/state/elsewhere", content="not read")
    assert missing.status_code == 500
    assert missing.json()["errorCode"] == "ERR_STATE_STORE_NOT_CONFIGURED"
    message = missing.json()["message"]
    assert "component type 'state.aws.dynamodb' is not installed" in message
    assert "--dapr" in message


async def test_without_any_store_daprs_answer_has_its_details(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answer = await served.http.get("/v1.0/state/cart/k")
    assert answer.status_code == 500
    told = answer.json()
    assert told.pop("message").startswith("state store cart is not configured. ")
    assert told == {
        "errorCode": "ERR_STATE_STORE_NOT_CONFIGURED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "DAPR_STATE_NOT_CONFIGURED",
                "domain": "dapr.io",
                "metadata": {"appID": "flowyard"},
            }
        ],
    }


async def test_an_etag_of_another_version_is_a_conflict(http: httpx.AsyncClient) -> None:
    await save(http, [{"key": "k", "value": 1}])
    etag = (await http.get(f"{_STATE}/k")).headers["etag"]
    assert await save(http, [{"key": "k", "value": 2, "etag": etag}]) == 204
    stale = await http.post(_STATE, json=[{"key": "k", "value": 3, "etag": etag}])
    assert (stale.status_code, stale.json()["errorCode"]) == (409, "ERR_STATE_SAVE")
    begin = "failed saving state in state store cart: possible etag mismatch. error from state"
    assert stale.json()["message"].startswith(begin)
    assert "details" not in stale.json()
    deleted = await http.delete(f"{_STATE}/k", headers={"if-match": etag})
    assert (deleted.status_code, deleted.json()["errorCode"]) == (409, "ERR_STATE_DELETE")
    assert deleted.json()["message"].startswith("failed deleting state with key k: possible etag")
    current = (await http.get(f"{_STATE}/k")).headers["etag"]
    assert (await http.delete(f"{_STATE}/k", headers={"if-match": current})).status_code == 204
    assert (await http.get(f"{_STATE}/k")).status_code == 204


async def test_an_etag_that_a_store_never_gave_is_invalid(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1.0/state/plain", json=[{"key": "k", "value": 1, "etag": "x"}])
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "ERR_STATE_SAVE")
    assert "invalid etag value: " in answer.json()["message"]
    await save(http, [{"key": "k", "value": 1}], "plain")
    assert "etag" not in (await http.get("/v1.0/state/plain/k")).headers


async def test_the_first_write_wins_where_it_is_asked_for(http: httpx.AsyncClient) -> None:
    item = {"key": "k", "value": 1, "options": {"concurrency": "first-write"}}
    assert await save(http, [item]) == 204
    assert await save(http, [item]) == 409


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": "x"}, "unrecognized concurrency model 'x'"),
        ({"consistency": "y"}, "unrecognized consistency model 'y'"),
    ],
)
async def test_options_that_do_not_exist_are_refused(
    http: httpx.AsyncClient, options: dict[str, str], message: str
) -> None:
    answer = await http.post(_STATE, json=[{"key": "k", "value": 1, "options": options}])
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "ERR_STATE_SAVE")
    assert answer.json()["message"].endswith(message)


async def test_the_time_to_live_is_told_and_the_query_beats_the_item(
    http: httpx.AsyncClient,
) -> None:
    item = {"key": "k", "value": 1, "metadata": {"ttlInSeconds": "1000"}}
    await save(http, [item])
    told = (await http.get(f"{_STATE}/k")).headers["metadata.ttlExpireTime"]
    assert told.endswith("Z")
    assert "T" in told
    query = "metadata.ttlInSeconds=-1&metadata.ttlInSeconds=7"
    await http.post(f"{_STATE}?{query}", json=[item])
    assert "metadata.ttlexpiretime" not in (await http.get(f"{_STATE}/k")).headers
    bad = await http.post(f"{_STATE}?metadata.ttlInSeconds=soon", json=[item])
    assert (bad.status_code, bad.json()["errorCode"]) == (400, "ERR_STATE_SAVE")


async def test_several_values_are_read_in_their_order(http: httpx.AsyncClient) -> None:
    await save(http, '[{"key": "a", "value": 1.10}, {"key": "b", "value": {"x": 2}}]')
    body = {"keys": ["b", "missing", "a"], "parallelism": 1}
    answer = await http.post(f"{_STATE}/bulk", json=body)
    assert answer.status_code == 200
    assert '"data":1.10' in answer.text
    second, missing, first = answer.json()
    assert (second["key"], second["data"]) == ("b", {"x": 2})
    assert missing == {"key": "missing"}
    assert first["etag"]
    assert (await http.put(f"{_STATE}/bulk", json={"keys": []})).json() == []


async def test_a_value_that_is_not_json_leaves_the_others_readable(tmp_path: Path) -> None:
    async with serving(tmp_path, blocks=[ComponentSpec("cart", "state.in-memory")]) as served:
        await served.runtime.save_state("cart", "pickled", b"\x80\x04")
        await served.runtime.save_state("cart", "plain", 1)
        body = {"keys": ["pickled", "plain"]}
        pickled, plain = (await served.http.post(f"{_STATE}/bulk", json=body)).json()
        assert "is not JSON" in pickled["error"]
        assert plain["data"] == 1
        assert (await served.http.get(f"{_STATE}/pickled")).content == b"\x80\x04"


async def test_a_transaction_is_done_as_a_whole_or_not_at_all(http: httpx.AsyncClient) -> None:
    await save(http, [{"key": "old", "value": 1}])
    upsert = {"operation": "upsert", "request": {"Key": "new", "value": 2}}
    delete = {"operation": "delete", "request": {"key": "old"}}
    conflict = {"operation": "delete", "request": {"key": "old", "etag": "another"}}
    failed = await http.post(f"{_STATE}/transaction", json={"operations": [upsert, conflict]})
    assert (failed.status_code, failed.json()["errorCode"]) == (500, "ERR_STATE_TRANSACTION")
    begin = "error while executing state transaction: possible etag mismatch"
    assert failed.json()["message"].startswith(begin)
    assert (await http.get(f"{_STATE}/new")).status_code == 204
    done = await http.put(f"{_STATE}/transaction", json={"operations": [upsert, delete]})
    assert (done.status_code, done.content) == (204, b"")
    assert (await http.get(f"{_STATE}/new")).text == "2"
    assert (await http.get(f"{_STATE}/old")).status_code == 204
    assert (await http.post(f"{_STATE}/transaction", json={})).status_code == 204


async def test_an_operation_that_does_not_exist_is_refused(http: httpx.AsyncClient) -> None:
    body = {"operations": [{"operation": "merge", "request": {"key": "k"}}]}
    answer = await http.post(f"{_STATE}/transaction", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (
        400,
        "ERR_NOT_SUPPORTED_STATE_OPERATION",
    )
    assert answer.json()["message"] == "operation type merge not supported"


async def test_a_store_without_transactions_says_so(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1.0/state/plain/transaction", json={"operations": []})
    assert (answer.status_code, answer.json()["errorCode"]) == (
        500,
        "ERR_STATE_STORE_NOT_SUPPORTED",
    )
    assert answer.json()["message"] == "state store plain doesn't support transactions"
    assert answer.json()["details"][-1]["@type"].endswith("Help")


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_query_is_refused_as_by_a_store_that_has_none(
    http: httpx.AsyncClient, method: str
) -> None:
    answer = await http.request(method, "/v1.0-alpha1/state/cart/query", json={})
    assert (answer.status_code, answer.json()["errorCode"]) == (
        500,
        "ERR_STATE_STORE_NOT_SUPPORTED",
    )
    assert answer.json()["message"] == "state store does not support querying"


async def test_a_store_that_does_not_answer_has_daprs_errors(http: httpx.AsyncClient) -> None:
    path = "/v1.0/state/silent"
    for answer, code in (
        (await http.get(f"{path}/k"), "ERR_STATE_GET"),
        (await http.delete(f"{path}/k"), "ERR_STATE_DELETE"),
        (await http.post(path, json=[{"key": "k"}, {"key": "l"}]), "ERR_STATE_SAVE"),
    ):
        assert (answer.status_code, answer.json()["errorCode"]) == (500, code)
        assert "nobody is there" in answer.json()["message"]
    bulk = await http.post(f"{path}/bulk", json={"keys": ["k"]})
    assert bulk.json() == [{"key": "k", "error": "nobody is there"}]


async def test_large_values_are_kept_and_larger_ones_refused(tmp_path: Path) -> None:
    blocks = [ComponentSpec("cart", "state.in-memory")]
    async with serving(tmp_path, blocks=blocks, max_body=2_000_000) as served:
        large = "x" * 1_000_000
        assert await save(served.http, [{"key": "k", "value": large}]) == 204
        assert (await served.http.get(f"{_STATE}/k")).json() == large
        answer = await served.http.post(_STATE, json=[{"key": "k", "value": 3 * large}])
        assert (answer.status_code, answer.json()["errorCode"]) == (413, "ERR_BODY_READ")
        assert (await served.http.get(f"{_STATE}/k")).json() == large


async def test_keys_with_slashes_and_other_letters_are_found(http: httpx.AsyncClient) -> None:
    for key, path in (("a/b", "a%2Fb"), ("käse +", "k%C3%A4se%20%2B"), ("a|b", "a%7Cb")):
        assert await save(http, [{"key": key, "value": key}]) == 204
        assert (await http.get(f"{_STATE}/{path}")).json() == key


async def test_saves_at_once_all_end(http: httpx.AsyncClient) -> None:
    await asyncio.gather(*(save(http, [{"key": f"k{n}", "value": n}]) for n in range(50)))
    keys = [f"k{n}" for n in range(50)]
    found = (await http.post(f"{_STATE}/bulk", json={"keys": keys})).json()
    assert [item["data"] for item in found] == list(range(50))


async def test_state_and_secrets_need_the_token(tmp_path: Path) -> None:
    async with serving(tmp_path, token="t") as served:  # noqa: S106
        for path in (f"{_STATE}/k", f"{_SECRETS}/env/K"):
            answer = await served.http.get(path)
            assert (answer.status_code, answer.text) == (401, "invalid api token")


async def test_secrets_of_the_environment_are_given_but_for_the_tokens(
    http: httpx.AsyncClient,
) -> None:
    assert (await http.get(f"{_SECRETS}/env/SHOP_KEY")).json() == {
        "SHOP_KEY": "from the environment"
    }
    assert (await http.get(f"{_SECRETS}/shop/KEY")).json() == {"KEY": "from the environment"}
    for name in ("NOT_SET", "APP_API_TOKEN", "app_api_token", "DAPR_API_TOKEN", "dapr_http_port"):
        assert (await http.get(f"{_SECRETS}/env/{name}")).json() == {name: ""}
    everything = (await http.get(f"{_SECRETS}/env/bulk")).json()
    assert everything["SHOP_KEY"] == {"SHOP_KEY": "from the environment"}
    assert everything["APP_API_TOKEN"] == {"APP_API_TOKEN": ""}
    assert "not to be given out" not in json.dumps(everything)
    assert (await http.get(f"{_SECRETS}/shop/bulk")).json() == {
        "KEY": {"KEY": "from the environment"}
    }


async def test_secrets_of_a_file_are_flat_or_have_keys(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{_SECRETS}/flat/db:port")).json() == {"db:port": "5432"}
    assert (await http.get(f"{_SECRETS}/deep/db")).json() == {"password": "p", "port": "5432"}
    assert (await http.get(f"{_SECRETS}/deep/plain")).json() == {"plain": "text"}
    assert (await http.get(f"{_SECRETS}/flat/bulk")).json() == {
        "db:password": {"db:password": "p"},
        "db:port": {"db:port": "5432"},
        "plain": {"plain": "text"},
        "on": {"on": "true"},
    }
    missing = await http.get(f"{_SECRETS}/flat/db")
    assert (missing.status_code, missing.json()["errorCode"]) == (500, "ERR_SECRET_GET")
    assert missing.json()["message"] == (
        "failed getting secret with key db from secret store flat: secret db not found"
    )


async def test_an_unknown_secret_store_is_refused(http: httpx.AsyncClient) -> None:
    for path in (f"{_SECRETS}/other/k", f"{_SECRETS}/other/bulk"):
        answer = await http.get(path)
        assert answer.status_code == 401
        told = answer.json()
        assert told["errorCode"] == "ERR_SECRET_STORE_NOT_FOUND"
        assert told["message"].startswith("failed finding secret store with key other. ")


async def test_the_metadata_list_the_components_of_all_blocks(http: httpx.AsyncClient) -> None:
    components = (await http.get("/v1.0/metadata")).json()["components"]
    by_name = {component["name"]: component for component in components}
    assert by_name["cart"] == {
        "name": "cart",
        "type": "state.in-memory",
        "version": "v1",
        "capabilities": ["ETAG", "TRANSACTIONAL", "TTL"],
    }
    assert by_name["flat"]["capabilities"] == []
    assert by_name["deep"]["capabilities"] == ["MULTIPLE_KEY_VALUES_PER_SECRET"]
    assert [component["name"] for component in components][:2] == ["orders", "menus"]
    assert "elsewhere" not in by_name
