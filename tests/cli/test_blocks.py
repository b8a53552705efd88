"""The commands and the other building blocks: what is served, shown, and refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.conftest import Command
from flowyard.cli import codes

_STORE = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: inventory
spec:
  type: state.in-memory
  version: v1
  metadata:
scopes: [shop, shipping]
"""
_COMMAND = [sys.executable, "-W", "error", "-c", "from flowyard.cli.main import main; main()"]


@pytest.fixture
def resources(tmp_path: Path) -> Path:
    """A folder as Dapr's quickstarts have it: a state store, and what Flowyard does not use."""
    folder = tmp_path / "resources"
    folder.mkdir()
    (folder / "state.yaml").write_text(_STORE)
    (folder / "resiliency.yaml").write_text(
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: none\n"
    )
    return folder


def command(resources: Path, app_id: str) -> list[str]:
    ports = ["--http-port", "0", "--grpc-port", "0", "--json"]
    return [*_COMMAND, "serve", "--app-id", app_id, "--components", str(resources), *ports]


@contextmanager
def serving(resources: Path, app_id: str) -> Iterator[Any]:
    """Serve where the test's files are, and give what the server says of itself."""
    with subprocess.Popen(
        command(resources, app_id), cwd=resources.parent, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(60)


def test_a_folder_without_a_workflow_component_is_served_by_the_engine(resources: Path) -> None:
    with serving(resources, "shop") as told:
        assert told["components"] == ["engine", "inventory"]
        (note,) = told["notes"]
        assert "no workflow component is configured" in note
        assert "./flowyard.db" in note
        state = f"{told['http']}/v1.0/state/inventory"
        assert httpx.post(state, json=[{"key": "car", "value": 10}]).status_code == 204
        assert httpx.get(f"{state}/car").json() == 10
        metadata = httpx.get(f"{told['http']}/v1.0/metadata").json()
        assert metadata["id"] == "shop"
        assert [item["type"] for item in metadata["components"]] == [
            "workflow.engine",
            "state.in-memory",
        ]
    assert (resources.parent / "flowyard.db").exists()


def test_a_second_application_on_that_file_is_refused_in_words(resources: Path) -> None:
    with serving(resources, "shop"):
        refused = subprocess.run(
            command(resources, "shipping"), cwd=resources.parent, capture_output=True, text=True
        )
        assert refused.returncode == 3
        message = json.loads(refused.stdout or refused.stderr)["message"]
        assert "./flowyard.db belongs to application 'shop'" in message
        assert "'shipping'" in message
    with serving(resources, "shop") as again:
        assert again["components"] == ["engine", "inventory"]


def test_components_of_another_application_are_left_out(resources: Path) -> None:
    with serving(resources, "billing") as told:
        assert told["components"] == ["engine"]
        answer = httpx.get(f"{told['http']}/v1.0/state/inventory/car")
        assert answer.json()["errorCode"] == "ERR_STATE_STORE_NOT_CONFIGURED"


def test_the_components_of_all_blocks_are_shown(
    flowyard: Command, resources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(resources.parent)
    (resources / "others.yaml").write_text(
        "---\n".join(
            f"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\n"
            f"spec:\n  type: {kind}\n  version: v1\n{metadata}"
            for name, kind, metadata in (
                ("env", "secretstores.local.env", ""),
                ("table", "state.aws.dynamodb", ""),
                (
                    "file",
                    "secretstores.local.file",
                    "  metadata:\n  - name: secretsFile\n    value: missing.json\n",
                ),
            )
        )
    )
    told = flowyard("components", "--components", str(resources), "--json")
    assert told.code == codes.REFUSED
    found = {item["name"]: item for item in told.json["components"]}
    assert found["engine"]["reachable"]
    assert found["inventory"]["reachable"]
    assert found["env"]["reachable"]
    assert "'state.aws.dynamodb' is not installed" in found["table"]["fault"]
    assert "missing.json cannot be read" in found["file"]["fault"]


def test_a_component_that_does_not_answer_is_told_apart(flowyard: Command, tmp_path: Path) -> None:
    (tmp_path / "components.yaml").write_text(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: bus}\nspec:\n"
        "  type: pubsub.redis\n  metadata:\n  - {name: redisHost, value: '127.0.0.1:1'}\n"
        "  ignoreErrors: true\n"
    )
    told = flowyard("components", "--components", str(tmp_path / "components.yaml"), "--json")
    assert told.code == codes.UNREACHABLE
    (bus,) = [item for item in told.json["components"] if item["name"] == "bus"]
    assert "127.0.0.1:1" in bus["fault"]
