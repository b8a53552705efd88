"""Text in components.yaml that is not YAML: told with its place, never with a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.sample import HEAD, SAMPLE, Fault
from flowyard.config import ComponentSpec, load_components, resolve
from flowyard.errors import ConfigurationError


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
