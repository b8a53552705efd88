"""The Temporal server that tests start: it answers, keeps its file, and lets no stranger in."""

from __future__ import annotations

from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from servers.fixtures import StartTemporal


async def test_a_namespace_is_ready_and_can_pause(temporal_server: str) -> None:
    client = await Client.connect(temporal_server)
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace="default")
    )
    assert described.namespace_info.capabilities.workflow_pause


async def test_a_killed_server_comes_back_with_what_it_kept(
    start_temporal: StartTemporal, tmp_path: Path
) -> None:
    with start_temporal(database=tmp_path / "temporal.db") as server:
        client = await Client.connect(server.address)
        await client.start_workflow("order", id="order-1", task_queue="nobody")
        server.restart()
        description = await client.get_workflow_handle("order-1").describe()
        assert description.workflow_type == "order"
