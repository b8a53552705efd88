"""Checks metadata values against a settings model, and says what is wrong without showing them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from flowyard.config.secrets import SecretRef
from flowyard.errors import ConfigurationError, nearest

S = TypeVar("S", bound=BaseModel)

# Messages that pydantic writes itself, without the input. Others may quote it.
_DISCREET = frozenset(get_args(ErrorType)) - {
    "assertion_error",
    "union_tag_invalid",
    "value_error",
}

_NOT_TEXT = re.compile("[\\0\ud800-\udfff]")


def read_settings(label: str, metadata: Mapping[str, object], model: type[S]) -> S:
    """Return the settings, with secrets read; `label` begins each `ConfigurationError`."""
    values = {
        key: _read(label, key, value) for key, value in _match_keys(label, metadata, model).items()
    }
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
    # Outside of the handler, so that no chained message shows a value.
    raise ConfigurationError(
        f"{label}: {' '.join(_explain(fault, values, model) for fault in faults)}"
    )


def _match_keys(
    label: str, metadata: Mapping[str, object], model: type[BaseModel]
) -> dict[str, object]:
    """Return the values under the model's own keys; Dapr compares keys without case."""
    fields = model.model_fields.items()
    known = {key.lower(): key for name, field in fields for key in keys_of(name, field)}
    matched: dict[str, object] = {}
    for name, value in metadata.items():
        key = known.get(name.lower())
        if key is None and model.model_config.get("extra") == "allow":
            key = name
        if key is None:
            raise ConfigurationError(
                f"{label}: key '{name}' is not known. {nearest(name, known.values())} "
                "Rename or remove it in spec.metadata."
            )
        if key in matched:
            raise ConfigurationError(
                f"{label}: key '{name}' is given twice in spec.metadata. Remove one of them."
            )
        matched[key] = value
    return matched


def keys_of(name: str, field: FieldInfo) -> list[str]:
    """Return the keys by which a field is set."""
    alias = field.validation_alias or field.alias or name
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return [choice for choice in choices if isinstance(choice, str)]


def _read(label: str, key: str, value: object) -> object:
    if isinstance(value, SecretRef):
        try:
            value = value.read()
        except ConfigurationError as error:
            raise ConfigurationError(f"{label}: key '{key}': {error}") from error
    if isinstance(value, str) and _NOT_TEXT.search(value):
        raise ConfigurationError(
            f"{label}: key '{key}' has a character that text cannot have: NUL, or half of a "
            "surrogate "
            "pair. Correct it in spec.metadata."
        )
    return value


def _rule(model: type[BaseModel], key: str) -> str | None:
    """Return in words what a key may be, where its field has a description."""
    fields = model.model_fields.items()
    return next((field.description for name, field in fields if key in (field.alias, name)), None)


def _explain(fault: ErrorDetails, values: Mapping[str, object], model: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"key '{place}' is missing. Add its name and value to spec.metadata."
    words = fault["msg"].removeprefix("Value error, ")
    reason = words[:1].lower() + words[1:]
    if fault["type"] == "string_pattern_mismatch" and (rule := _rule(model, place)):
        reason = f"it must be {rule}"
    if fault["type"] not in _DISCREET:
        for text in sorted(filter(None, map(str, values.values())), key=len, reverse=True):
            reason = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", "…", reason)
    what = f"key '{place}'" if place else "the settings together"
    return f"{what} cannot be used: {reason}. Correct it in spec.metadata."
