"""Health, metadata, shutdown, the token, limits and the OpenAPI document."""

from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from flowyard import AccessDenied, Client, ConfigurationError, InvalidRequest, Runtime
from flowyard.server.auth import check_exposure
from flowyard.server.http.application import HttpOptions, http_endpoints
from flowyard.server.http.server import Address, serve_http
from wire.http.service import Served, engine, serving, shop

_TOKEN = "a-token"  # noqa: S105


async def test_a_served_runtime_is_healthy(http: httpx.AsyncClient) -> None:
    for path in ("/v1.0/healthz", "/v1.0/healthz/outbound", "/v1.0/healthz?appid=flowyard"):
        answer = await http.get(path)
        assert (answer.status_code, answer.content) == (204, b"")
    other = await http.get("/v1.0/healthz?appid=other")
    assert other.status_code == 500
    assert other.json() == {
        "errorCode": "ERR_HEALTH_APPID_NOT_MATCH",
        "message": "dapr app-id does not match",
    }


async def test_metadata_name_the_components_and_what_was_added(http: httpx.AsyncClient) -> None:
    assert (await http.put("/v1.0/metadata/region", content="north")).status_code == 204
    document = (await http.get("/v1.0/metadata")).json()
    assert document["id"] == "flowyard"
    assert [component["name"] for component in document["components"]] == ["orders", "menus"]
    assert document["components"][0]["type"] == "workflow.engine"
    assert document["extended"] == {"region": "north"}
    assert "workflows" not in document


async def test_metadata_do_not_grow_without_end(http: httpx.AsyncClient) -> None:
    statuses = [
        (await http.put(f"/v1.0/metadata/{number}", content="x")).status_code
        for number in range(101)
    ]
    assert statuses == [204] * 100 + [400]
    large = await http.put("/v1.0/metadata/0", content="x" * 100_000)
    assert large.status_code == 413


async def test_shutdown_asks_the_server_to_stop(served: Served) -> None:
    assert (await served.http.post("/v1.0/shutdown")).status_code == 204
    async with asyncio.timeout(30):
        await served.stopping.wait()


async def test_without_the_token_only_health_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path, token=_TOKEN) as served:
        for path in ("/v1.0/workflows/dapr/a", "/flowyard/v1/instances", "/openapi.json", "/x"):
            for headers in ({}, {"dapr-api-token": "other"}, {"dapr-api-token": ""}):
                refused = await served.http.get(path, headers=headers)
                assert (refused.status_code, refused.text) == (401, "invalid api token")
                assert refused.headers["content-type"].startswith("text/plain")
        assert (await served.http.post("/v1.0/shutdown")).status_code == 401
        assert (await served.http.get("/v1.0/healthz")).status_code == 204
        allowed = await served.http.get(
            "/flowyard/v1/instances", headers={"dapr-api-token": _TOKEN}
        )
        assert allowed.status_code == 200


async def test_the_client_sends_its_token(tmp_path: Path) -> None:
    async with serving(tmp_path, token=_TOKEN) as served:
        async with Client(served.url, token=_TOKEN) as client:
            assert (await client.list()).instances == ()
        async with Client(served.url, token=_TOKEN[1:]) as client:
            with pytest.raises(AccessDenied, match="DAPR_API_TOKEN"):
                await client.list()


async def test_a_token_may_have_letters_of_any_script(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, token="schlüssel") as served,  # noqa: S106
        Client(served.url, token="schlüssel") as client,  # noqa: S106
    ):
        assert (await client.list()).instances == ()


def test_a_token_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidRequest) as refused:
        Client(token=f"{_TOKEN}\n")
    assert _TOKEN not in str(refused.value)


def test_the_token_is_shown_nowhere() -> None:
    assert _TOKEN not in repr(HttpOptions(_TOKEN))


async def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, max_body=1000) as served:
        path = "/v1.0/workflows/dapr/echo/start"
        fits = await served.http.post(path, content='"' + 998 * "x" + '"')
        assert fits.status_code == 202
        large = await served.http.post(path, content='"' + 999 * "x" + '"')
        assert (large.status_code, large.json()["errorCode"]) == (413, "ERR_BODY_READ")


async def test_a_large_payload_is_carried_whole(served: Served, client: Client) -> None:
    text = "ä" * 1_000_000
    instance_id = await client.start("echo", input=text)
    assert (await client.wait(instance_id)).result() == text


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.0.1"])
def test_this_machine_needs_no_token(host: str) -> None:
    check_exposure(host, None, allow_unauthenticated=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_other_machines_need_a_token_unless_allowed(host: str) -> None:
    with pytest.raises(ConfigurationError, match="DAPR_API_TOKEN"):
        check_exposure(host, None, allow_unauthenticated=False)
    check_exposure(host, _TOKEN, allow_unauthenticated=False)
    check_exposure(host, None, allow_unauthenticated=True)


async def test_a_port_that_is_taken_is_told(served: Served, tmp_path: Path) -> None:
    port = int(served.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1 port {port}"):
        async with serve_http(served.runtime, Address(port=port), HttpOptions()):
            pass


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *subject, *files], check=True, capture_output=True)
    return certificate, key


async def test_it_is_served_over_tls(certified: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = certified
    address = Address(port=0, certificate=certificate, key=key)
    async with (
        Runtime.open([engine("orders", tmp_path)], shop()) as runtime,
        serve_http(runtime, address, HttpOptions()) as url,
    ):
        assert url.startswith("https://")
        async with Client(url, verify=str(certificate)) as client:
            assert (await client.list()).instances == ()
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(verify=trusting) as http:
            assert (await http.get(f"{url}/v1.0/healthz")).status_code == 204


async def test_a_key_that_does_not_fit_is_told(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    address = Address(port=0, certificate=tmp_path / "no.pem", key=tmp_path / "no.pem")
    async with Runtime.open([engine("orders", tmp_path)], shop()) as runtime:
        with pytest.raises(ConfigurationError, match="TLS certificate"):
            async with serve_http(runtime, address, HttpOptions()):
                pass


async def test_every_route_is_in_the_document_and_the_other_way_round(served: Served) -> None:
    document = (await served.http.get("/openapi.json")).json()
    documented = {
        (method.upper(), path) for path, value in document["paths"].items() for method in value
    }
    served_routes = {
        (method, re.sub(r":flowyard_(segment|rest)", "", route.path))
        for endpoint in http_endpoints(served.runtime, HttpOptions())
        for route in [endpoint.route()]
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert documented == served_routes
    # State, secrets, bindings and publishing are the last ones.
    assert len(documented) == 3 * 7 + 11 + 5 + 1 + 10 + 2 + 2 + 6


async def test_the_document_refers_only_to_what_it_holds(http: httpx.AsyncClient) -> None:
    answer = await http.get("/openapi.json")
    document = answer.json()
    names = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))
    assert names <= set(document["components"]["schemas"])
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    identifiers = [operation["operationId"] for operation in operations]
    assert len(set(identifiers)) == len(identifiers)
