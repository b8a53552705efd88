"""Every mistake in a component's settings: file, component, key and what to do, never a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.sample import FIELDS, HEAD, SAMPLE, SPEC, Fault, Settings, with_key
from flowyard.config import load_components, resolve


def test_a_correct_configuration_has_no_fault(file: Path) -> None:
    file.write_text(HEAD + FIELDS)
    _, settings = resolve(load_components(file).default, [SAMPLE])
    assert isinstance(settings, Settings)
    assert settings.connection_string.get_secret_value() == "hunter2"


def test_a_pattern_is_told_in_words(fault: Fault) -> None:
    assert fault(with_key("queue", "hunter2")) == (
        "component 'orders': key 'queue' cannot be used: it must be small letters. "
        "Correct it in spec.metadata."
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
    assert "key 'odd' cannot be used: … has an odd length" in fault(with_key("odd", "hunter2"))


def test_settings_that_do_not_fit_together_are_told(fault: Fault) -> None:
    text = with_key("mode", "fast") + "  - {name: maxTurns, value: 1}\n"
    assert "the settings together cannot be used: mode … needs two" in fault(text)


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
