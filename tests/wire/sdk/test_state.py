"""Applications that use state and secrets by Dapr's SDKs run unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from backends import write_components
from flowyard.config import ComponentSpec
from wire.sdk.environments import PYTHON_1_18, PYTHON_1_19, node_app, python_with
from wire.sdk.programs import Application, connected, serving

APP = Path(__file__).parent / "apps" / "dapr_python_state.py"
# The first test makes an environment.
pytestmark = pytest.mark.timeout(1200)
SDKS = pytest.mark.parametrize(
    "requirements", [PYTHON_1_18, PYTHON_1_19], ids=["python-1.18", "python-1.19"]
)


def add_blocks(components: Path) -> None:
    """Add a state store and a secret store to a file of components."""
    secrets = components.parent / "secrets.json"
    secrets.write_text('{"db": {"password": "p"}}')
    documents = [
        # Dapr's quickstart has nothing behind it.
        component("inventory", "state.in-memory", None),
        component(
            "vault", "secretstores.local.file", [{"name": "secretsFile", "value": str(secrets)}]
        ),
    ]
    text = "\n---\n".join([components.read_text(), *map(yaml.safe_dump, documents)])
    components.write_text(text)


def component(name: str, kind: str, metadata: list[dict[str, str]] | None) -> dict[str, object]:
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {"type": kind, "version": "v1", "metadata": metadata},
    }


@SDKS
def test_the_general_client_keeps_state_and_reads_secrets(
    requirements: tuple[str, ...], components: Path
) -> None:
    add_blocks(components)
    with (
        serving(components) as server,
        connected([python_with(*requirements), str(APP)], server.port, server.http_port) as app,
    ):
        seen = app.play("calling")
    assert isinstance(seen, dict)
    refusals = {name: seen.pop(name) for name in [*seen] if is_refusal(seen[name])}
    assert {name: tuple(told[:2]) for name, told in refusals.items()} == {
        "stale": ("ABORTED", "ERR_STATE_SAVE"),
        "stale delete": ("ABORTED", "ERR_STATE_DELETE"),
        "second": ("ABORTED", "ERR_STATE_SAVE"),
        "failed": ("INTERNAL", "ERR_STATE_TRANSACTION"),
        "unknown": ("INVALID_ARGUMENT", "DAPR_STATE_NOT_FOUND"),
        "illegal": ("INVALID_ARGUMENT", "DAPR_STATE_ILLEGAL_KEY"),
        "query": ("INTERNAL", "DAPR_STATE_QUERYING_NOT_SUPPORTED"),
        "no secret": ("INTERNAL", ""),
        "no vault": ("INVALID_ARGUMENT", ""),
    }
    assert refusals["unknown"][2].startswith("state store nowhere is not found. ")
    listed = seen.pop("components")
    assert listed["inventory"] == ["state.in-memory", "ETAG", "TRANSACTIONAL", "TTL"]
    assert listed["vault"] == ["secretstores.local.file"]
    assert seen == {
        "text": "as it is",
        "bytes": [0x80, 0x04],
        "missing": ["", ""],
        "bulk": [["b", '{"x": 2}', ""], ["a", "1", ""], ["missing", "", ""]],
        "kept": "2",
        "json": '{"n": 1.50}',
        "transaction": ["", "3"],
        "rolled back": "3",
        "deleted": "",
        "secret": {"db:password": "p"},
        "secrets": {"db:password": {"db:password": "p"}},
        "id": "flowyard",
    }


def is_refusal(told: object) -> bool:
    """Whether it is what the application says of a call that failed."""
    return isinstance(told, list) and len(told) == 3 and str(told[0]).isupper()


@SDKS
def test_a_workflow_keeps_state_in_its_activities(
    requirements: tuple[str, ...], components: Path
) -> None:
    add_blocks(components)
    with (
        serving(components) as server,
        connected([python_with(*requirements), str(APP)], server.port, server.http_port) as app,
    ):
        assert app.play("selling") == [9, "out of stock", {"quantity": 9}]


@pytest.fixture
def javascript(tmp_path: Path) -> Iterator[Application]:
    """The application of the JavaScript SDK, on the engine."""
    components = write_components(
        ComponentSpec(
            name="flowyard",
            type="workflow.engine",
            metadata={"connectionString": f"sqlite:///{tmp_path}/flowyard.db"},
        ),
        tmp_path,
    )
    add_blocks(components)
    command = node_app("state.js")
    with (
        serving(components) as server,
        connected(command, server.port, server.http_port) as application,
    ):
        yield application


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_client_of_javascript_keeps_state_and_reads_secrets(
    javascript: Application, protocol: str
) -> None:
    assert javascript.play(protocol) == {
        "got": [{"x": 1}, "text"],
        "bulk": [["b", "text"], ["a", {"x": 1}]],
        "transaction": ["", "new"],
        "stale": True,
        "kept": {"x": 1},
        "removed": False,
        "secret": {"db:password": "p"},
        "secrets": {"db:password": {"db:password": "p"}},
    }


def test_what_is_saved_over_one_protocol_is_read_over_the_other(javascript: Application) -> None:
    assert javascript.play("sharing") == {"quantity": 9}
