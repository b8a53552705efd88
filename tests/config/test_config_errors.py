"""Every mistake in components.yaml: file, component, key and what to do, never a value."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.alias_generators import to_camel

from flowyard.backend.component import ComponentContext, ComponentType, WorkflowComponent
from flowyard.config import ComponentSpec, load_components, resolve
from flowyard.errors import ConfigurationError

HEAD = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: orders}\n"
SPEC = "spec:\n  type: workflow.sample\n  version: v1\n"
FIELDS = SPEC + "  metadata:\n  - {name: connectionString, value: hunter2}\n"


class Settings(BaseModel):
    """What the component type of these tests takes."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    connection_string: SecretStr
    max_turns: int = 10
    mode: Literal["fast", "safe"] = "safe"
    queue: str = Field(default="a", pattern="^[a-z]+$", description="small letters")
    odd: str = ""

    @field_validator("odd")
    @classmethod
    def _be_even(cls, value: str) -> str:
        if len(value) % 2:
            raise ValueError(f"{value} has an odd length")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        if self.mode == "fast" and self.max_turns < 2:
            raise ValueError("mode fast needs two turns")
        return self


def never_opened(
    settings: Settings, context: ComponentContext
) -> AbstractAsyncContextManager[WorkflowComponent]:
    raise AssertionError("a wrong configuration opens nothing")


SAMPLE: ComponentType[Any] = ComponentType("workflow.sample", Settings, never_opened, frozenset())

Fault = Callable[[str], str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "components.yaml"


@pytest.fixture
def fault(file: Path) -> Fault:
    """Return the message of a configuration, after its file; no value may be in its traceback."""

    def read(text: str) -> str:
        file.write_text(text)
        with pytest.raises(ConfigurationError) as caught:
            resolve(load_components(file).default, [SAMPLE])
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))
        message = str(caught.value)
        assert message.startswith(f"{file}: ")
        return message.removeprefix(f"{file}: ")

    return read


def with_key(key: str, value: str) -> str:
    """Return a configuration with one more key."""
    return f"{HEAD}{FIELDS}  - {{name: {key}, value: {value}}}\n"


def test_a_correct_configuration_has_no_fault(file: Path) -> None:
    file.write_text(HEAD + FIELDS)
    _, settings = resolve(load_components(file).default, [SAMPLE])
    assert isinstance(settings, Settings)
    assert settings.connection_string.get_secret_value() == "hunter2"


def test_text_that_is_not_yaml_is_told_with_its_place(fault: Fault) -> None:
    assert fault("kind: Component\nmetadata: {name: 'hunter2\n").startswith("not YAML at line 3")


@pytest.mark.parametrize(
    "value", ["*hunter2", "!hunter2 x", "!hunter2!x y", "@hunter2", "[hunter2"]
)
def test_a_value_that_breaks_yaml_is_not_shown(fault: Fault, value: str) -> None:
    message = fault(f"{HEAD}spec:\n  metadata:\n  - name: password\n    value: {value}\n")
    assert message.startswith("not YAML at line ")
    assert message.endswith("Correct it; put a value with special characters in quotes.")


@pytest.mark.parametrize(
    "value",
    [
        "!!timestamp 2020-99-99",
        "!!timestamp soon",
        "!!int hunter2",
        "!!float hunter2",
        "!!bool maybe",
        "!!binary '%'",
        "!!set {a}",
        "!!omap [a: b]",
        "!!pairs [a: b]",
        r'"hunter2\0"',
        r'"hunter2\uD800"',
        r'"\uDFFFhunter2"',
    ],
)
def test_a_value_that_is_no_text_is_told_on_one_line(fault: Fault, value: str) -> None:
    message = fault(f"{HEAD}spec:\n  metadata:\n  - name: password\n    value: {value}\n")
    assert message.startswith("not YAML at line 7")
    assert "\n" not in message


_BOMBS = {
    "merge keys": "- &a0 {x: 1}\n"
    + "".join(
        f"- &a{number} {{<<: [{', '.join(9 * [f'*a{number - 1}'])}]}}\n" for number in range(1, 20)
    ),
    "aliases": "- &a0 [x]\n"
    + "".join(f"- &a{number} [{', '.join(9 * [f'*a{number - 1}'])}]\n" for number in range(1, 20)),
    "itself": "- &a [*a]\n",
    "itself, merged": "- &a {<<: *a}\n",
}


@pytest.mark.parametrize("text", _BOMBS.values(), ids=list(_BOMBS))
def test_yaml_that_is_more_than_it_looks_is_refused(fault: Fault, text: str) -> None:
    assert "alias" in fault(text)


def test_aliases_and_merge_keys_may_be_used(file: Path) -> None:
    value = "spec: &spec\n  type: workflow.sample\n  version: &v v1\n  metadata: [&k {<<: {name: "
    file.write_text(f"{HEAD}{value}connectionString}}, value: *v}}]\n")
    (spec,) = load_components(file).specs
    assert spec.metadata == {"connectionString": "v1"}


def test_a_value_from_code_that_is_no_text_is_told_without_it() -> None:
    for value in ("hunter2\0", "hunter2\ud800"):
        spec = ComponentSpec("orders", "workflow.sample", metadata={"connectionString": value})
        with pytest.raises(ConfigurationError, match="key 'connectionString' has a char") as told:
            resolve(spec, [SAMPLE])
        assert "hunter2" not in str(told.value)


def test_a_key_twice_in_one_mapping_is_not_yaml(fault: Fault) -> None:
    assert fault("kind: Component\nkind: Component\n") == (
        "not YAML at line 2, column 1: a key is given twice in one mapping. "
        "Correct it; put a value with special characters in quotes."
    )


def test_bytes_that_are_no_text_are_not_yaml(file: Path) -> None:
    file.write_bytes(b"kind: \xff\xfe")
    with pytest.raises(ConfigurationError, match=r"components\.yaml: not YAML at position 6"):
        load_components(file)


def test_endless_nesting_is_not_yaml(fault: Fault) -> None:
    assert "nested too deeply" in fault("[" * 5000)


def test_text_in_place_of_a_document_is_told(fault: Fault) -> None:
    assert fault("hunter2") == (
        "not a component. Write a mapping with apiVersion, kind, metadata and spec."
    )


def test_a_wrong_kind_is_told(fault: Fault) -> None:
    wrong = (HEAD + FIELDS).replace("kind: Component", "kind: Configuration")
    assert fault(wrong) == "kind is 'Configuration'. Write 'kind: Component'."


def test_a_misspelt_kind_is_told_in_a_folder_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HEAD.replace("Component", "Componet") + FIELDS)
    with pytest.raises(ConfigurationError, match=r"a\.yaml: kind is 'Componet'\. Write 'kind: C"):
        load_components(tmp_path)


def test_a_missing_kind_is_told_with_the_number_of_its_document(fault: Fault) -> None:
    message = fault(HEAD + FIELDS + "---\nmetadata: {name: menus}\n")
    assert message == "document 2: kind is missing. Write 'kind: Component'."


def test_a_wrong_api_version_is_told(fault: Fault) -> None:
    wrong = (HEAD + FIELDS).replace("v1alpha1", "v2")
    assert fault(wrong) == "apiVersion is 'dapr.io/v2'. Write 'apiVersion: dapr.io/v1alpha1'."


def test_a_missing_api_version_is_told(fault: Fault) -> None:
    wrong = (HEAD + FIELDS).replace("apiVersion: dapr.io/v1alpha1\n", "")
    assert fault(wrong) == "apiVersion is missing. Write 'apiVersion: dapr.io/v1alpha1'."


def test_an_unknown_type_is_told_with_what_is_installed(fault: Fault) -> None:
    message = fault(HEAD + FIELDS.replace("workflow.sample", "workflow.simple"))
    assert message.startswith(
        "component 'orders': spec.type: component type 'workflow.simple' is not installed. "
        "Did you mean 'workflow.sample'"
    )
    installed = message.partition("Installed: ")[2]
    assert "'workflow.engine'" in installed
    assert "'workflow.sample'" in installed


@pytest.mark.parametrize("engine", ["temporal", "conductor"])
def test_a_known_type_is_told_with_the_package_that_has_it(
    fault: Fault, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The adapters are installed where Flowyard is developed.
    installed = entry_points(group="flowyard")
    others = [one for one in installed if one.name != f"workflow.{engine}"]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: others)
    message = fault(HEAD + FIELDS.replace("workflow.sample", f"workflows.{engine}"))
    assert f"It is in flowyard-{engine}. " in message
    assert f"install it with: pip install ./adapters/{engine}. Installed: " in message
    assert (Path(__file__).parents[2] / "adapters" / engine / "pyproject.toml").exists()


def test_a_pattern_is_told_in_words(fault: Fault) -> None:
    assert fault(with_key("queue", "hunter2")) == (
        "component 'orders': key 'queue' cannot be used: it must be small letters. "
        "Correct it in spec.metadata."
    )


def test_an_unknown_version_is_told_with_the_known_one(fault: Fault) -> None:
    message = fault(HEAD + FIELDS.replace("version: v1", "version: v2"))
    assert message == (
        "component 'orders': spec.version: workflow.sample has no version 'v2'. Use 'v1'."
    )


def test_a_missing_key_is_told(fault: Fault) -> None:
    assert fault(HEAD + SPEC) == (
        "component 'orders': key 'connectionString' is missing. "
        "Add its name and value to spec.metadata."
    )


def test_an_unknown_key_is_told_with_the_nearest(fault: Fault) -> None:
    assert fault(with_key("maxTurn", "hunter2")) == (
        "component 'orders': key 'maxTurn' is not known. Did you mean 'maxTurns'? "
        "Rename or remove it in spec.metadata."
    )


def test_a_value_of_the_wrong_type_is_told_and_not_shown(fault: Fault) -> None:
    assert fault(with_key("maxTurns", "hunter2")) == (
        "component 'orders': key 'maxTurns' cannot be used: input should be a valid integer, "
        "unable to parse string as an integer. Correct it in spec.metadata."
    )


def test_a_list_in_place_of_a_text_is_told(fault: Fault) -> None:
    assert "key 'odd' cannot be used: input should be a valid string" in fault(
        with_key("odd", "[hunter2]")
    )


def test_a_value_outside_of_a_choice_is_told_with_the_choice(fault: Fault) -> None:
    assert "key 'mode' cannot be used: input should be 'fast' or 'safe'" in fault(
        with_key("mode", "hunter2")
    )


def test_a_validator_that_quotes_the_value_does_not_show_it(fault: Fault) -> None:
    assert "key 'odd' cannot be used: value error, … has an odd length" in fault(
        with_key("odd", "hunter2")
    )


def test_settings_that_do_not_fit_together_are_told(fault: Fault) -> None:
    text = with_key("mode", "fast") + "  - {name: maxTurns, value: 1}\n"
    assert "the settings together cannot be used: value error, mode … needs two" in fault(text)


def test_all_faults_of_the_settings_are_told_at_once(fault: Fault) -> None:
    message = fault(f"{HEAD}{SPEC}  metadata: [{{name: maxTurns, value: many}}]\n")
    assert "key 'connectionString' is missing." in message
    assert "key 'maxTurns' cannot be used" in message


@pytest.mark.parametrize("again", ["maxTurns", "maxturns"])
def test_a_key_given_twice_is_told(fault: Fault, again: str) -> None:
    message = fault(with_key("maxTurns", "3") + f"  - {{name: {again}, value: hunter2}}\n")
    assert message == (
        f"component 'orders': key '{again}' is given twice in spec.metadata. Remove one of them."
    )


def test_a_key_without_a_value_is_told(fault: Fault) -> None:
    assert fault(with_key("odd", "")) == (
        "component 'orders': key 'odd' has no value. Give it one of value, secretKeyRef and envRef."
    )


def test_a_key_with_two_values_is_told(fault: Fault) -> None:
    assert fault(with_key("odd", "hunter2, envRef: ODD")) == (
        "component 'orders': key 'odd' has more than one value. "
        "Give it one of value, secretKeyRef and envRef."
    )


def test_metadata_written_as_a_mapping_are_told(fault: Fault) -> None:
    assert fault(f"{HEAD}{SPEC}  metadata: {{connectionString: hunter2}}\n") == (
        "component 'orders': spec.metadata is not a list. "
        "Write '- name: …' and 'value: …' for each key."
    )


def test_an_entry_without_a_name_is_told_with_its_number(fault: Fault) -> None:
    assert fault(f"{HEAD}{FIELDS}  - {{value: hunter2}}\n") == (
        "component 'orders': name in entry 2 of spec.metadata is missing. Add it."
    )


def test_an_entry_that_is_no_mapping_is_told_with_its_number(fault: Fault) -> None:
    message = fault(f"{HEAD}{SPEC}  metadata: [hunter2]\n")
    assert message.startswith("component 'orders': entry 1 of spec.metadata: input should be a")


def test_a_misspelt_word_in_an_entry_is_told_with_the_nearest(fault: Fault) -> None:
    assert fault(f"{HEAD}{SPEC}  metadata: [{{name: odd, secretKeyref: {{name: x}}}}]\n") == (
        "component 'orders': key 'odd': secretKeyref is not known. Did you mean 'secretKeyRef'?"
    )


def test_a_secret_reference_without_a_name_is_told(fault: Fault) -> None:
    assert fault(f"{HEAD}{SPEC}  metadata: [{{name: odd, secretKeyRef: {{key: x}}}}]\n") == (
        "component 'orders': key 'odd': secretKeyRef.name is missing. Add it."
    )


def test_a_misspelt_word_of_the_document_is_told_with_the_nearest(fault: Fault) -> None:
    assert fault(HEAD + FIELDS + "atuh: {secretStore: vault}\n") == (
        "component 'orders': atuh is not known. Did you mean 'auth'?"
    )


def test_a_missing_type_is_told(fault: Fault) -> None:
    assert fault(HEAD + "spec:\n  version: v1\n") == (
        "component 'orders': spec.type is missing. Add it."
    )


def test_a_missing_spec_is_told(fault: Fault) -> None:
    assert fault(HEAD) == "component 'orders': spec is missing. Add it."


def test_a_missing_name_is_told(fault: Fault) -> None:
    assert fault(HEAD.replace("name: orders", "labels: {}") + FIELDS) == (
        "metadata.name is missing. Add it."
    )


def test_a_name_that_no_url_can_hold_is_told(fault: Fault) -> None:
    assert fault(HEAD.replace("orders", "'a/b'") + FIELDS) == (
        "component 'a/b': metadata.name is not valid. Use letters, digits, '_', '-' and '.'."
    )


def test_two_components_of_one_name_are_told(fault: Fault) -> None:
    assert fault(HEAD + FIELDS + "---\n" + HEAD + FIELDS) == (
        "component 'orders': two components have this name. Change metadata.name of one of them."
    )


def test_two_components_of_one_name_are_told_with_both_files(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(HEAD + FIELDS)
    with pytest.raises(ConfigurationError) as caught:
        load_components(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path / 'b.yaml'}: component 'orders': two components"
    )
    assert f"(the other one is in {tmp_path / 'a.yaml'})" in str(caught.value)


def test_a_file_without_a_component_is_told(fault: Fault) -> None:
    message = fault("# nothing here yet\n")
    assert message.startswith("no workflow component is configured. Add a document")


def test_what_was_skipped_is_told_where_no_component_is_left(fault: Fault) -> None:
    message = fault(HEAD + FIELDS.replace("workflow.sample", "workflw.sample"))
    assert "Skipped: component 'orders' of type 'workflw.sample'." in message


def test_a_folder_without_a_component_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no workflow component is configured"):
        load_components(tmp_path)


def test_no_component_in_code_is_told() -> None:
    with pytest.raises(ConfigurationError, match="no workflow component is configured"):
        load_components([])


def test_a_missing_file_is_told(file: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_components(file)
    assert str(caught.value) == (
        f"{file}: there is no such file or folder. Create it, or give another path."
    )


def test_an_unreadable_file_is_told(file: Path) -> None:
    # A mode of 000 would not stop root; a link to itself stops everyone.
    file.symlink_to(file)
    with pytest.raises(ConfigurationError) as caught:
        load_components(file)
    assert str(caught.value).startswith(f"{file}: cannot be read: ")
    assert str(caught.value).endswith("Check the path and its permissions.")


def test_an_unreadable_file_in_a_folder_is_told(tmp_path: Path, file: Path) -> None:
    file.symlink_to(file)
    with pytest.raises(ConfigurationError, match=r"components\.yaml: cannot be read: "):
        load_components(tmp_path)
