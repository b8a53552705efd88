"""What components.yaml may say, and what it means."""

from __future__ import annotations

import logging
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.alias_generators import to_camel

from flowyard.backend.component import ComponentContext, ComponentType, WorkflowComponent
from flowyard.config import ComponentSpec, load_components, resolve
from flowyard.config.components import parse_settings
from flowyard.errors import ComponentNotFound, ConfigurationError


class Settings(BaseModel):
    """What the component type of these tests takes."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    host_port: str = "localhost:7233"
    max_turns: int = 10
    is_shared: bool = False
    password: SecretStr | None = None
    tags: list[str] = []


def never_opened(
    settings: Settings, context: ComponentContext
) -> AbstractAsyncContextManager[WorkflowComponent]:
    raise AssertionError("reading a configuration opens nothing")


SAMPLE = ComponentType("workflow.sample", Settings, never_opened, frozenset())


def component(name: str, of_type: str = "workflow.sample", metadata: str = "[]") -> str:
    """Return a document as Dapr's users write it."""
    return (
        f"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\n"
        f"spec:\n  type: {of_type}\n  version: v1\n  metadata: {metadata}\n"
    )


def settings_of(tmp_path: Path, metadata: str) -> Settings:
    """Return the settings that these metadata amount to."""
    file = tmp_path / "components.yaml"
    file.write_text(component("orders", metadata=metadata))
    return parse_settings(load_components(file).default, SAMPLE)


def test_a_file_may_hold_several_components_and_the_first_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / "components.yaml"
    file.write_text("---\n" + component("orders") + "---\n" + component("menus") + "---\n")
    components = load_components(str(file))
    assert [spec.name for spec in components.specs] == ["orders", "menus"]
    assert components.default.name == "orders"
    assert components.default.source == file
    assert components.find().name == "orders"
    assert components.find("menus").name == "menus"


def test_a_folder_is_read_in_the_order_of_its_file_names(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(component("second"))
    (tmp_path / "a.yml").write_text(component("first"))
    (tmp_path / "notes.txt").write_text("not for us")
    (tmp_path / ".hidden.yaml").write_text("not for us")
    (tmp_path / "nested.yaml").mkdir()
    assert [spec.name for spec in load_components(tmp_path).specs] == ["first", "second"]


def test_components_may_come_from_code() -> None:
    spec = ComponentSpec("orders", "workflow.sample", metadata={"maxTurns": 3})
    components = load_components([spec])
    assert components.default is spec
    assert parse_settings(spec, SAMPLE).max_turns == 3


def test_dapr_means_the_default_component() -> None:
    components = load_components([ComponentSpec("orders", "workflow.sample")])
    assert components.find("dapr").name == "orders"


def test_a_component_named_dapr_goes_before_the_default() -> None:
    specs = [ComponentSpec("orders", "workflow.sample"), ComponentSpec("dapr", "workflow.sample")]
    assert load_components(specs).find("dapr") is specs[1]


def test_an_unknown_component_name_is_told_with_the_nearest() -> None:
    components = load_components([ComponentSpec("orders", "workflow.sample")])
    with pytest.raises(ComponentNotFound, match=r"'order'\. Did you mean 'orders'\?"):
        components.find("order")


@pytest.mark.parametrize("spelling", ["workflow.sample", "workflows.sample", "Workflow.Sample"])
def test_both_spellings_of_a_type_are_the_same(tmp_path: Path, spelling: str) -> None:
    file = tmp_path / "components.yaml"
    file.write_text(component("orders", spelling))
    found, settings = resolve(load_components(file).default, [SAMPLE])
    assert found is SAMPLE
    assert settings == Settings()


def test_components_of_other_kinds_are_left_alone_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.yaml").write_text(component("cache", "lock.redis", "{not: our, concern: true}"))
    (tmp_path / "b.yaml").write_text("apiVersion: dapr.io/v1alpha1\nkind: Configuration\n")
    (tmp_path / "c.yaml").write_text(component("orders"))
    with caplog.at_level(logging.INFO, "flowyard"):
        assert [spec.name for spec in load_components(tmp_path).specs] == ["orders"]
    assert "skipped component 'cache' of type 'lock.redis'" in caplog.text
    assert "skipped a document of kind Configuration" in caplog.text


def test_a_component_is_there_for_the_applications_of_its_scopes_alone(tmp_path: Path) -> None:
    file = tmp_path / "components.yaml"
    file.write_text(
        component("cheap", "state.sample")
        + "scopes: [checkout]\n---\n"
        + component("orders")
        + "scopes: [checkout, shipping]\n"
    )
    assert [spec.name for spec in load_components(file, app_id="checkout").blocks] == ["cheap"]
    assert load_components(file, app_id="shipping").blocks == ()
    assert [spec.name for spec in load_components(file).blocks] == ["cheap"]
    with pytest.raises(ConfigurationError, match="its scopes keep it from application 'billing'"):
        load_components(file, app_id="billing")


def test_what_of_dapr_has_no_effect_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "components.yaml"
    file.write_text(component("orders") + "  ignoreErrors: true\n")
    with caplog.at_level(logging.INFO, "flowyard"):
        load_components(file)
    assert "spec.ignoreErrors is a setting of Dapr's that has no effect" in caplog.text


def test_a_version_left_out_is_the_first(tmp_path: Path) -> None:
    file = tmp_path / "components.yaml"
    file.write_text(component("orders").replace("  version: v1\n", "  version:\n"))
    assert load_components(file).default.version == "v1"


def test_values_keep_the_spelling_that_yaml_would_change(tmp_path: Path) -> None:
    for value in ("0123", "1e3", "2024-01-01", "no", "0.10", "12:30"):
        metadata = f"[{{name: hostPort, value: {value}}}]"
        assert settings_of(tmp_path, metadata).host_port == value


def test_values_of_number_and_truth_fit_with_and_without_quotes(tmp_path: Path) -> None:
    plain = "[{name: maxTurns, value: 5}, {name: isShared, value: true}]"
    quoted = "[{name: maxTurns, value: '5'}, {name: isShared, value: 'true'}]"
    expected = Settings.model_validate({"maxTurns": 5, "isShared": True})
    assert settings_of(tmp_path, plain) == settings_of(tmp_path, quoted) == expected


def test_a_value_may_be_a_list(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "[{name: tags, value: [a, 1]}]").tags == ["a", "1"]


def test_keys_match_without_case_as_in_dapr(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "[{name: hostport, value: 'a:1'}]").host_port == "a:1"


def test_empty_metadata_leave_the_defaults(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "") == Settings()


def test_a_spec_does_not_show_its_values() -> None:
    spec = ComponentSpec("orders", "workflow.sample", metadata={"password": "hunter2"})
    assert "hunter2" not in repr(spec)


def test_importing_flowyard_reads_no_yaml_and_searches_no_plugins() -> None:
    code = (
        "import sys, flowyard; late = {'yaml', 'pluggy', 'importlib.metadata'}; "
        "print((late | {'flowyard.config.manifest'}) & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert output.strip() == "set()"
