"""Serving IPv6: what is printed is what a client, the command and a worker connect to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from cli.conftest import Command, serving
from flowyard import Client

pytestmark = pytest.mark.usefixtures("without_a_token")


@pytest.fixture
def without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAPR_API_TOKEN", raising=False)


def _hello(address: str) -> bytes:
    with grpc.insecure_channel(address) as channel:
        hello: Any = channel.unary_unary("/TaskHubSidecarService/Hello")
        answer: bytes = hello(b"", timeout=60, wait_for_ready=True)
        return answer


async def test_the_loopback_address_is_served_without_a_token(
    flowyard: Command, components: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(components, "--app", "errands:app", "--host", "::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert server.grpc.startswith("[::1]:")
        assert _hello(server.grpc) == b""
        async with Client(f"{server.url}/") as client:
            await client.start("echo", 7, instance_id="six")
            assert (await client.wait("six")).output == "7"


def test_the_command_finds_the_server_by_its_url(
    flowyard: Command, components: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(components, "--app", "errands:app", "--host", "[::1]") as server:
        assert flowyard("start", "echo", "-i", "7", "--wait", "--url", server.url).code == 0
        monkeypatch.setenv("FLOWYARD_URL", server.url)
        assert flowyard("list", "--json").json["instances"][0]["workflow"] == "echo"
    gone = flowyard("list")
    assert gone.code == 6
    assert server.url in gone.err
    assert flowyard("list", "--url", "http://[::1").code == 3


def test_the_address_of_everything_is_served_over_both_protocols(components: Path) -> None:
    with serving(components, "--host", "::", "--allow-unauthenticated") as server:
        port, grpc_port = (address.rpartition(":")[2] for address in (server.url, server.grpc))
        assert (server.url, server.grpc) == (f"http://[::]:{port}", f"[::]:{grpc_port}")
        for host in ("[::1]", "127.0.0.1"):
            assert httpx.get(f"http://{host}:{port}/v1.0/healthz").status_code == 204
            assert _hello(f"{host}:{grpc_port}") == b""


def test_the_address_of_everything_is_not_served_without_a_token(
    flowyard: Command, components: Path
) -> None:
    free = ("--http-port", "0", "--grpc-port", "0", "--components", str(components))
    refused = flowyard("serve", *free, "--host", "::")
    assert refused.code == 3
    assert "'::' can be reached from other machines" in refused.err
