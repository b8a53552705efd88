"""docs/plugins.md and docs/components.md say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowyard.backend import hookspecs
from flowyard.backend.component import (
    Capability,
    ComponentContext,
    ComponentType,
    WorkflowComponent,
)
from flowyard.backend.pubsub import PubSub, PubSubCapability
from flowyard.backend.state_store import StateCapability, StateStore
from flowyard.config import ComponentSpec, load_components, resolve
from flowyard.errors import ConfigurationError
from flowyard_engine.settings import EngineSettings

HOUSE = Path(__file__).parents[2]
PLUGINS = (HOUSE / "docs/plugins.md").read_text()
BLOCK_PLUGINS = (HOUSE / "docs/block-plugins.md").read_text()
COMPONENTS = (HOUSE / "docs/components.md").read_text()
SAMPLES = sorted((HOUSE / "tests/plugins").glob("flowyard-*"))


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


QUOTES = [
    block
    for page in (PLUGINS, BLOCK_PLUGINS)
    for block in blocks(page, "python") + blocks(page, "toml")
    if block.startswith("# ")
]


@pytest.mark.parametrize("quote", QUOTES)
def test_what_the_tutorial_quotes_is_what_a_sample_says(quote: str) -> None:
    name, _, code = quote.removeprefix("# ").partition("\n")
    files = [sample / name for sample in SAMPLES if (sample / name).exists()]
    assert any(code in file.read_text() for file in files)


def test_the_tutorial_quotes_every_file_that_an_author_writes() -> None:
    quoted = {quote.removeprefix("# ").partition("\n")[0] for quote in QUOTES}
    written = {
        str(file.relative_to(sample))
        for sample in SAMPLES
        for file in sample.rglob("*")
        if file.suffix in {".py", ".toml"} and file.name != "__init__.py"
    }
    assert quoted == written


def test_every_hook_is_in_the_reference() -> None:
    hooks = {name for name in dir(hookspecs) if name.startswith("flowyard_")}
    assert set(re.findall(r"^\| `(flowyard_\w+)\(\)` \|", PLUGINS, re.MULTILINE)) == hooks


def test_every_capability_is_in_the_reference() -> None:
    after = PLUGINS.partition("| capability | declares that |\n|---|---|\n")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", after, re.MULTILINE) == list(Capability)


def test_what_a_state_store_implements_and_declares_is_in_the_reference() -> None:
    section = BLOCK_PLUGINS.partition("\n## A state store\n")[2].partition("\n## ")[0]
    methods = {name for name in vars(StateStore) if not name.startswith("_")}
    first, _, second = section.partition("\n| capability |")
    assert set(re.findall(r"^\| `([a-z_]+)` \|", first, re.MULTILINE)) == methods
    assert StateStore.__abstractmethods__ == {"get", "set", "delete"}
    declared = set(re.findall(r"^\| `(\w+)` \|", second, re.MULTILINE))
    assert declared == {*StateCapability, Capability.SHARED, Capability.VOLATILE}


def test_what_a_broker_implements_and_declares_is_in_the_reference() -> None:
    section = BLOCK_PLUGINS.partition("\n## A broker\n")[2].partition("\n## ")[0]
    assert PubSub.__abstractmethods__ == {"publish", "subscribe"}
    assert "two methods, and both are required: `publish`, and `subscribe`" in section
    declared = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert declared == {*PubSubCapability, Capability.SHARED, Capability.VOLATILE}


def test_every_method_is_in_the_reference() -> None:
    table = PLUGINS.partition("| method | | |\n|---|---|---|\n")[2].partition("\n\n")[0]
    first_column = " ".join(line.split("|")[1] for line in table.splitlines())
    methods = {name for name in vars(WorkflowComponent) if not name.startswith("_")}
    assert set(re.findall(r"`(\w+)`", first_column)) == methods
    assert "`start`, `get`, `raise_event`, `terminate` | required" in table
    assert WorkflowComponent.__abstractmethods__ == {"start", "get", "raise_event", "terminate"}


@pytest.mark.parametrize("kind", [ComponentType, ComponentContext])
def test_every_field_is_in_the_reference(kind: type) -> None:
    for name in kind.__dataclass_fields__:  # type: ignore[attr-defined]  # both are dataclasses
        assert f"`{name}`" in PLUGINS


@pytest.mark.parametrize("text", blocks(COMPONENTS, "yaml"))
def test_each_example_of_components_yaml_can_be_used(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDERS_CONNECTION_STRING", "sqlite:///orders.db")
    (secrets,) = blocks(COMPONENTS, "json")
    Path("secrets.json").write_text(secrets)
    Path("components.yaml").write_text(text)
    _, settings = resolve(load_components("components.yaml").find("orders"))
    assert isinstance(settings, EngineSettings)
    assert settings.connection_string == "sqlite:///orders.db"


def test_the_settings_of_the_engine_are_all_told_with_their_defaults() -> None:
    told = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", COMPONENTS, re.MULTILINE)
    fields = EngineSettings.model_fields.values()
    assert told == [(field.alias, str(field.default)) for field in fields]


def test_the_example_of_a_mistake_is_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = blocks(COMPONENTS, "yaml")[0].replace("connectionString", "conectionString")
    Path("components.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        resolve(load_components("components.yaml").default)
    (told,) = blocks(COMPONENTS, "text")
    assert str(caught.value) == told.strip()


def test_the_example_in_code_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_CONNECTION_STRING", "sqlite:///orders.db")
    (code,) = blocks(COMPONENTS, "python")
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102  # our own documentation
    spec = names["orders"]
    assert isinstance(spec, ComponentSpec)
    _, settings = resolve(spec)
    assert isinstance(settings, EngineSettings)
    assert settings.path == "orders.db"
