"""Python's `DaprClient` uses bindings and calls applications, by either protocol."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from blocks.bindings.conftest import postgres_server
from wire.app.served import component, endpoint, serving
from wire.app.service import running
from wire.app.target import Target
from wire.sdk.environments import APPS, PYTHON_1_18, PYTHON_1_19, python_with

# The first test makes an environment.
pytestmark = pytest.mark.timeout(1200)

_TOKEN = "a-token"  # noqa: S105


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URI of a server with the table of the quickstart."""
    with postgres_server() as uri:
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("create table orders (orderid integer, customer text)")
        yield uri


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("requirements", [PYTHON_1_18, PYTHON_1_19], ids=["1.18", "1.19"])
async def test_the_client_does_here_what_it_does_with_dapr(
    tmp_path: Path, database: str, requirements: tuple[str, ...], protocol: str
) -> None:
    python = python_with(*requirements)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("delete from orders")
    async with running(Target()) as port:
        url = f"http://127.0.0.1:{port}"
        documents = [
            component("sqldb", "bindings.postgres", url=database),
            component("files", "bindings.localstorage", rootPath=str(tmp_path / "files")),
            component("web", "bindings.http", url=url),
            endpoint("stock", f"{url}/base"),
        ]
        async with serving(tmp_path, documents, Target(), token=_TOKEN) as sidecar:
            seen = await _run(python, sidecar.url, sidecar.grpc_address, protocol)
    assert seen["affected"] == "1"
    assert seen["rows"] == [[1, "Ann"], [2, "Ann"]]
    assert (seen["created"], seen["read"]) == ({"fileName": "a.bin"}, [255, 0])
    assert (seen["web"], seen["status"]) == ({"item": "tea"}, "200")
    code, text = seen["refused"]
    assert code == "INTERNAL"
    assert "error invoking output binding nobody: couldn't find output binding nobody" in text
    assert seen["invoked"] == [200 if protocol == "http" else None, "/orders/first", '{"id": 1}']
    assert seen["endpoint"] == ["GET", "/base/x", "a=1"]
    assert seen["text"] == "as asked"
    # Over HTTP, the client shows the body only where it is JSON.
    assert ("HTTP status code: 404" if protocol == "http" else "as asked") in seen["shop 404"]
    assert "failed to invoke, id: nobody" in seen["nobody x"]


async def _run(python: str, http: str, grpc: str, protocol: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        "DAPR_RUNTIME_HOST": "127.0.0.1",
        "DAPR_HTTP_PORT": http.rpartition(":")[2],
        "DAPR_GRPC_PORT": grpc.rpartition(":")[2],
        "DAPR_API_TOKEN": _TOKEN,
        "DAPR_API_METHOD_INVOCATION_PROTOCOL": protocol,
    }
    program = await asyncio.create_subprocess_exec(
        python,
        str(APPS / "dapr_python_bindings.py"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await program.communicate()
    assert program.returncode == 0
    seen: dict[str, Any] = json.loads(printed)
    return seen
