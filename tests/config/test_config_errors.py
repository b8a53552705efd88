"""Every mistake in a document or a file of components: where it is and what to do."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from config.sample import FIELDS, HEAD, Fault
from flowyard.config import load_components
from flowyard.errors import ConfigurationError


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
    others = [entry_point for entry_point in installed if entry_point.name != f"workflow.{engine}"]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: others)
    message = fault(HEAD + FIELDS.replace("workflow.sample", f"workflows.{engine}"))
    assert f"It is in flowyard-{engine}. " in message
    assert f"install it with: pip install ./adapters/{engine}. Installed: " in message
    assert (Path(__file__).parents[2] / "adapters" / engine / "pyproject.toml").exists()


def test_an_unknown_version_is_told_with_the_known_one(fault: Fault) -> None:
    message = fault(HEAD + FIELDS.replace("version: v1", "version: v2"))
    assert message == (
        "component 'orders': spec.version: workflow.sample has no version 'v2'. Use 'v1'."
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
