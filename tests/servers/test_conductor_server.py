"""The Conductor server that tests start: it answers, and keeps its file when it is killed."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from servers.fixtures import StartConductor

# In seconds: its first answers take long on a busy machine.
PATIENCE = 120
DEFINITION = {
    "name": "order",
    "version": 1,
    "schemaVersion": 2,
    "timeoutSeconds": 0,
    "ownerEmail": "orders@example.com",
    "tasks": [{"name": "wait", "taskReferenceName": "approval", "type": "WAIT"}],
}


def test_the_server_of_the_session_is_healthy(conductor_server: str) -> None:
    assert httpx.get(f"{conductor_server}/health", timeout=PATIENCE).json()["healthy"] is True


@pytest.mark.long  # as are the tests that restart one
@pytest.mark.timeout(900)
def test_a_killed_server_comes_back_with_what_it_kept(
    start_conductor: StartConductor, tmp_path: Path
) -> None:
    with start_conductor(database=tmp_path / "conductor.db") as server:
        with httpx.Client(base_url=f"{server.url}/api", timeout=PATIENCE) as client:
            client.post("/metadata/workflow", json=DEFINITION).raise_for_status()
            instance_id = client.post("/workflow/order", json={}).raise_for_status().text
        server.restart()
        with httpx.Client(base_url=f"{server.url}/api", timeout=PATIENCE) as client:
            assert client.get("/metadata/workflow/order").json()["name"] == "order"
            assert client.get(f"/workflow/{instance_id}").json()["status"] == "RUNNING"
