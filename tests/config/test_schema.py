"""The schema of components.yaml says what reading says, as far as a schema can."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from docs.pages import ROOT, blocks
from flowyard.backend.component import ComponentType
from flowyard.config import load_components, resolve
from flowyard.config.plugins import canonical, installed_types
from flowyard.config.schema import components_schema
from flowyard.config.yaml import read_documents
from flowyard.errors import ConfigurationError

_PAGES = sorted(
    page
    for folder in (ROOT, ROOT / "docs", ROOT / "adapters", ROOT / "examples", ROOT / "tests")
    for page in folder.glob("*.md" if folder == ROOT else "**/*.md")
)
_FOLDERS = (ROOT / "examples", ROOT / "docs", ROOT / "adapters", ROOT / "tests")


def _component_texts() -> list[Any]:
    """Return every YAML file and block of the repository in which a component is described."""
    files = [
        *ROOT.glob("*.y*ml"),
        *(file for folder in _FOLDERS for file in folder.rglob("*.y*ml")),
    ]
    texts = [(file.relative_to(ROOT), file.read_text()) for file in files]
    for page in _PAGES:
        shown = (block.text for block in blocks(page) if block.language == "yaml")
        texts += [(page.relative_to(ROOT), text) for text in shown]
    return [
        pytest.param(text, id=f"{where}-{number}")
        for number, (where, text) in enumerate(texts)
        if re.search(r"^ *kind: Component$", text, re.MULTILINE)
    ]


@pytest.fixture(scope="module")
def printed() -> Any:
    """What the command prints."""
    program = "from flowyard.cli.main import main; main(['schema'])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    host_port: str
    max_turns: int = Field(default=5, ge=1, description="how many turns")
    seconds: float | None = Field(default=None, gt=0)
    is_shared: bool = False
    mode: Literal["off", "full"] = "full"
    tags: list[str] = Field(default_factory=list)
    names: frozenset[str] = frozenset()

    @field_validator("names", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return frozenset(value.split(",")) if isinstance(value, str) else value


def _open(*_: object) -> Any:
    raise NotImplementedError


_TYPE = ComponentType("workflow.probe", _Settings, _open, frozenset())
_DOCUMENT = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: orders
  labels: {team: shop}
spec:
  type: workflow.probe
  version: v1
  metadata:
  - name: hostPort
    value: localhost:7233
scopes: [one]
"""


def _is_valid(schema: Any, document: object) -> bool:
    return bool(Draft202012Validator(schema).is_valid(document))


def _is_read(text: str, folder: Path) -> bool:
    file = folder / "components.yaml"
    file.write_text(text)
    try:
        resolve(load_components(file).default, [_TYPE])
    except ConfigurationError:
        return False
    return True


def test_what_is_printed_is_a_json_schema(printed: Any) -> None:
    Draft202012Validator.check_schema(printed)
    assert _is_valid(printed, None)


@pytest.mark.parametrize("text", _component_texts())
def test_every_component_of_the_repository_is_valid(
    printed: Any, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "components.yaml"
    file.write_text(text)
    installed = {kind.name for kind in installed_types()}
    for documents in (list(yaml.safe_load_all(text)), read_documents(file)):
        for document in documents:
            assert isinstance(document, dict)
            of_type = canonical(document["spec"]["type"])
            if not of_type.startswith("workflow.") or of_type in installed:
                errors = [*Draft202012Validator(printed).iter_errors(document)]
                assert errors == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hostPort", "hostport"),
        ("workflow.probe", "Workflows.Probe"),
        ("  version: v1\n", ""),
        ("version: v1", "version:"),
        ("    value: localhost:7233", "    envRef: HOST_PORT"),
        ("    value: localhost:7233", "    secretKeyRef: {name: hosts, key: HOST_PORT}"),
        ("    value: localhost:7233", "    value: 0123"),
        ("scopes: [one]", "scopes:\nauth:"),
        ("scopes: [one]", "  - {name: maxTurns, value: 7}"),
        ("scopes: [one]", "  - {name: maxTurns, value: '7'}"),
        ("scopes: [one]", "  - {name: seconds, value: 0.5}"),
        ("scopes: [one]", "  - {name: seconds, value: '1e3'}"),
        ("scopes: [one]", "  - {name: isShared, value: yes}"),
        ("scopes: [one]", "  - {name: isShared, value: 'True'}"),
        ("scopes: [one]", "  - {name: mode, value: off}"),
        ("scopes: [one]", "  - {name: tags, value: [a, 1]}"),
        ("scopes: [one]", "  - {name: names, value: 'a,b'}"),
        ("scopes: [one]", "  initTimeout: 5s\n  ignoreErrors: true"),
    ],
)
def test_what_is_read_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    monkeypatch.setenv("HOST_PORT", "localhost:7233")
    text = _DOCUMENT.replace(old, new)
    assert text != _DOCUMENT
    assert _is_read(text, tmp_path)
    assert _is_valid(components_schema([_TYPE]), yaml.safe_load(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("apiVersion: dapr.io/v1alpha1", "apiVersion: dapr.io/v1"),
        ("apiVersion: dapr.io/v1alpha1\n", ""),
        ("kind: Component", "kind: Components"),
        ("  name: orders\n", ""),
        ("name: orders", "name: the orders"),
        ("metadata:\n  name: orders\n  labels: {team: shop}\n", ""),
        ("  type: workflow.probe\n", ""),
        ("workflow.probe", "workflow.prob"),
        ("version: v1", "version: v2"),
        ("  version:", "  verison:"),
        ("scopes:", "scope:"),
        ("hostPort", "hostPrt"),
        ("  - name: hostPort\n    value: localhost:7233\n", ""),
        ("    value: localhost:7233\n", ""),
        ("    value: localhost:7233", "    valeu: localhost:7233"),
        ("    value: localhost:7233", "    value: a\n    envRef: B"),
        ("    value: localhost:7233", "    secretKeyRef: {key: HOST_PORT}"),
        ("    value: localhost:7233", "    secretKeyRef: {name: HOST_PORT, keys: a}"),
        ("  - name: hostPort\n    value: localhost:7233\n", "    hostPort: localhost:7233\n"),
        ("scopes: [one]", "  - {name: hostport, value: again}"),
        ("scopes: [one]", "  - {name: maxTurns, value: some}"),
        ("scopes: [one]", "  - {name: maxTurns, value: 0}"),
        ("scopes: [one]", "  - {name: seconds, value: 5s}"),
        ("scopes: [one]", "  - {name: isShared, value: perhaps}"),
        ("scopes: [one]", "  - {name: mode, value: ful}"),
        ("scopes: [one]", "  - {name: tags, value: a}"),
        ("scopes: [one]", "auth: {secretstore: local}"),
        ("scopes: [one]", "scopes: one"),
    ],
)
def test_a_mistake_is_found_without_reading(tmp_path: Path, old: str, new: str) -> None:
    text = _DOCUMENT.replace(old, new)
    assert text != _DOCUMENT
    assert not _is_read(text, tmp_path)
    assert not _is_valid(components_schema([_TYPE]), yaml.safe_load(text))


def test_a_misspelt_setting_of_a_secret_store_is_found(printed: Any) -> None:
    entry = {"name": "secretsFile", "value": "secrets.json"}
    store = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "local"},
        "spec": {"type": "secretstores.local.file", "metadata": [entry]},
    }
    assert _is_valid(printed, store)
    entry["name"] = "secretFile"
    assert not _is_valid(printed, store)


def test_components_that_are_left_alone_are_valid_as_they_are(printed: Any) -> None:
    mongodb = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "spec": {"type": "state.mongodb", "metadata": "anything"},
        "more": 1,
    }
    assert _is_valid(printed, mongodb)


def test_a_state_store_has_its_types_settings_and_those_of_all_state_stores(printed: Any) -> None:
    entries: list[dict[str, object]] = [
        {"name": "redisHost", "value": "localhost:6379"},
        {"name": "RedisPassword", "secretKeyRef": {"name": "password"}},
        {"name": "dialTimeout", "value": 500},
        {"name": "keyPrefix", "value": "none"},
        {"name": "actorStateStore", "value": True},
    ]
    store = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "statestore"},
        "spec": {"type": "state.redis", "version": "v1", "metadata": entries},
    }
    assert _is_valid(printed, store)
    entries[0]["name"] = "redisHosts"
    assert not _is_valid(printed, store)
    empty = {**store, "spec": {"type": "state.in-memory", "metadata": None}}
    assert _is_valid(printed, empty)


def test_defaults_and_descriptions_are_shown() -> None:
    text = json.dumps(components_schema([_TYPE]))
    assert '"description": "how many turns", "default": 5' in text
