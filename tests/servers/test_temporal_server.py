"""The Temporal server that tests start: it answers, keeps its file, and ends with its test run."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from servers.fixtures import StartTemporal

HOLDER = Path(__file__).parent / "programs" / "holder.py"


async def test_a_namespace_is_ready_and_can_pause(temporal_server: str) -> None:
    client = await Client.connect(temporal_server)
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace="default")
    )
    assert described.namespace_info.capabilities.workflow_pause


async def test_flags_choose_what_a_server_can(start_temporal: StartTemporal) -> None:
    with start_temporal("-pause=false", "-namespaces=orders,stock", dynamic_config={}) as server:
        for namespace in ("orders", "stock"):
            client = await Client.connect(server.address, namespace=namespace)
            described = await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=namespace)
            )
            assert not described.namespace_info.capabilities.workflow_pause


async def test_a_killed_server_comes_back_with_what_it_kept(
    start_temporal: StartTemporal, tmp_path: Path
) -> None:
    with start_temporal(database=tmp_path / "temporal.db") as server:
        client = await Client.connect(server.address)
        await client.start_workflow("order", id="order-1", task_queue="nobody")
        server.restart()
        description = await client.get_workflow_handle("order-1").describe()
        assert description.workflow_type == "order"


@pytest.mark.usefixtures("start_temporal")  # it is built then
def test_a_server_ends_with_the_process_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        host, _, port = holder.stdout.readline().strip().partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            holder.kill()
            # Whatever the server has to say, it ends.
            with suppress(ConnectionResetError):
                while connection.recv(1024):
                    pass


def test_a_server_that_cannot_start_says_why(start_temporal: StartTemporal) -> None:
    with (
        pytest.raises(RuntimeError, match=r"ended; it said:\n.*unable to open database file"),
        start_temporal(database=Path("/no/such/folder/temporal.db")),
    ):
        pass
