"""The JSON Schema of components.yaml, for editors: what is read, and the installed types' settings.

It is made for YAML as editors see it, with numbers and booleans, where reading sees text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

from flowyard.backend.component import ComponentType
from flowyard.config.block_settings import BLOCK_SETTINGS
from flowyard.config.http_endpoints import KIND as HTTP_ENDPOINT
from flowyard.config.manifest import API_VERSION
from flowyard.config.plugins import canonical
from flowyard.config.secret_stores import SETTINGS
from flowyard.config.settings import keys_of
from flowyard.config.subscriptions import KIND as SUBSCRIPTION
from flowyard.config.subscriptions import V1, V2

Schema = dict[str, Any]

# A value is read as it is written, so that a number is text too.
_TEXT: Schema = {"type": ["string", "number", "boolean"]}
_NOT_NULL: Schema = {"not": {"type": "null"}}
_SOURCES = ("value", "secretKeyRef", "envRef")
_BOOLEANS = ("true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0")
_INTEGER = r"^\s*[+-]?\d+(_\d+)*(\.0*)?\s*$"
_NUMBER = r"^\s*[+-]?((\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?|[iI][nN][fF]\w*|[nN][aA][nN])\s*$"


def _any_case(text: str) -> str:
    """Return a pattern of the text that no dialect of regular expressions reads differently."""
    return "".join(
        f"[{character.lower()}{character.upper()}]"
        if character.isalpha()
        else character.replace(".", r"\.")
        for character in text
    )


_WORKFLOW = rf"{_any_case('workflow')}[sS]?"
_OTHER_BLOCKS = "|".join(_any_case(block) for block in BLOCK_SETTINGS)
_OURS = rf"^({_WORKFLOW}|{_OTHER_BLOCKS})(\.|$)"


def components_schema(types: Iterable[ComponentType[Any, Any]]) -> Schema:
    """Return the schema of one document; it knows the components of these types."""
    models = {canonical(kind.name): (kind.settings, kind.version) for kind in types}
    names = [_type_pattern(name) for name in models]
    known: list[Schema] = [
        {"enum": [*models, *SETTINGS]},
        *({"type": "string", "pattern": pattern} for pattern in names),
        # Types of the other blocks that are not installed, and what is Dapr's alone.
        {"type": "string", "pattern": rf"^({_OTHER_BLOCKS})(\.|$)"},
        {"type": "string", "not": {"pattern": _OURS}},
    ]
    settings = [
        _if_type(_type_pattern(name), _spec(_models(name, model), version))
        for name, (model, version) in models.items()
    ]
    stores = [
        _if_type(_type_pattern(name), _spec([model], None)) for name, model in SETTINGS.items()
    ]
    name: Schema = {"properties": {"name": {"pattern": r"^[A-Za-z0-9_.\-]{1,253}$"}}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A component of Flowyard",
        # A document may be empty.
        "type": ["object", "null"],
        "required": ["apiVersion", "kind", "spec"],
        # What else stands in the same file is not described further.
        "properties": {"kind": {"enum": ["Component", HTTP_ENDPOINT, SUBSCRIPTION]}},
        "if": {"properties": {"kind": {"const": "Component"}}},
        "then": {
            "properties": {
                "apiVersion": {"const": API_VERSION},
                "spec": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"anyOf": known}},
                },
            },
            "allOf": [
                _if_type(_OURS, {"$ref": "#/$defs/component"}),
                _if_type(_OURS, {"properties": {"metadata": name}}),
                *settings,
                *stores,
            ],
        },
        "else": {"properties": {"apiVersion": {"enum": [V1, V2]}, "spec": {"type": "object"}}},
        "$defs": {"component": _component(), "item": _item()},
    }


def _component() -> Schema:
    spec = {
        "type": True,
        "version": _or_null(_TEXT),
        "metadata": _or_null({"type": "array", "items": {"$ref": "#/$defs/item"}}),
        "ignoreErrors": _or_null(_TEXT),
        "initTimeout": _or_null(_TEXT),
    }
    return {
        "required": ["metadata"],
        "properties": {
            "apiVersion": True,
            "kind": True,
            "metadata": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}},
            "spec": {"properties": spec, "additionalProperties": False},
            "auth": _or_null(_mapping({"secretStore": _or_null(_TEXT)})),
            "scopes": _or_null({"type": "array", "items": _TEXT}),
        },
        "additionalProperties": False,
    }


def _item() -> Schema:
    reference = _mapping({"name": _TEXT, "key": _or_null(_TEXT)}, "name")
    properties = {
        "name": _TEXT,
        "value": True,
        "secretKeyRef": _or_null(reference),
        "envRef": _or_null(_TEXT),
    }
    one_of = [{"required": [source], "properties": {source: _NOT_NULL}} for source in _SOURCES]
    return {**_mapping(properties, "name"), "oneOf": one_of}


def _models(type_name: str, model: type[BaseModel]) -> Sequence[type[BaseModel]]:
    """Return the settings of a type, and those that its block has whatever the type."""
    own = BLOCK_SETTINGS.get(type_name.partition(".")[0])
    return [model] if own is None else [model, own]


def _spec(models: Sequence[type[BaseModel]], version: str | None) -> Schema:
    """Return what `spec` may say of a component with these settings."""
    fields = {name: field for model in models for name, field in model.model_fields.items()}
    keys = {key: name for name, field in fields.items() for key in keys_of(name, field)}
    values = {name: value for model in models for name, value in _values(model).items()}
    known = [_if_named(key, values.get(name, {})) for key, name in keys.items()]
    entry: Schema = {"allOf": known} if known else {}
    if all(model.model_config.get("extra") != "allow" for model in models):
        spellings = [{"pattern": _whole(key)} for key in keys]
        entry["properties"] = {"name": {"anyOf": [{"enum": list(keys)}, *spellings]}}
    metadata: Schema = {"items": entry}
    needed = {name for name, field in fields.items() if field.is_required()}
    counts = [
        {
            "contains": {"properties": {"name": {"pattern": _whole(key)}}, "required": ["name"]},
            # A key may stand once; one with several names is not asked for here.
            "minContains": int(name in needed and [*keys.values()].count(name) == 1),
            "maxContains": 1,
        }
        for key, name in keys.items()
    ]
    if counts:
        metadata["allOf"] = counts
    spec: Schema = {"properties": {"metadata": metadata}}
    if needed:
        spec["required"] = ["metadata"]
        metadata["type"] = "array"
    if version is not None:
        spec["properties"]["version"] = {"enum": [version, None, *([""] * (version == "v1"))]}
    return {"properties": {"spec": spec}}


def _values(model: type[BaseModel]) -> dict[str, Schema]:
    """Return what the value of each field may be, as far as pydantic can say it."""
    try:
        whole = model.model_json_schema(by_alias=False)
    except PydanticInvalidForJsonSchema:
        return {}
    # Validators that come before the type's own check take what they like.
    free = {
        name
        for validator in model.__pydantic_decorators__.field_validators.values()
        if validator.info.mode != "after"
        for name in validator.info.fields
    }
    return {
        name: {} if name in free or "*" in free else _described(field, whole.get("$defs", {}))
        for name, field in whole.get("properties", {}).items()
    }


def _described(field: Schema, definitions: Mapping[str, Schema]) -> Schema:
    kept = {key: field[key] for key in ("description", "default") if field.get(key) is not None}
    return {**_written(field, definitions), **kept}


def _written(field: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return what may be written in YAML for a value of this schema."""
    if "$ref" in field:
        return _written(definitions.get(field["$ref"].rpartition("/")[2], {}), definitions)
    if "anyOf" in field:
        given = [option for option in field["anyOf"] if option.get("type") != "null"]
        return {"anyOf": [_written(option, definitions) for option in given]}
    words = field.get("enum", [field["const"]] if "const" in field else None)
    if words is not None:
        # `off` is a boolean in YAML 1.1, and a number may be one of the words.
        others: list[Schema] = [{"type": "number"}]
        if {str(word).lower() for word in words} & {*_BOOLEANS}:
            others.append({"type": "boolean"})
        return {"anyOf": [{"enum": words}, *others]}
    bounds = {
        key: value
        for key, value in field.items()
        if key in {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    }
    match field.get("type"):
        case "boolean":
            spelled = "|".join(_any_case(boolean) for boolean in _BOOLEANS)
            return {"anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, _like(f"^({spelled})$")]}
        case "integer":
            return {"anyOf": [{"type": "integer", **bounds}, _like(_INTEGER)]}
        case "number":
            return {"anyOf": [{"type": "number", **bounds}, _like(_NUMBER)]}
        case "string":
            limits: Schema = {key: field[key] for key in ("pattern", "minLength") if key in field}
            return {**_TEXT, **limits}
        case "array":
            return {"type": "array"}
    return {}


def _like(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


def _mapping(properties: Mapping[str, Any], *required: str) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": dict(properties),
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    """Nothing behind a key means that there is none."""
    return {"anyOf": [schema, {"type": "null"}]}


def _if_type(pattern: str, then: Schema) -> Schema:
    of_type = {"properties": {"type": {"type": "string", "pattern": pattern}}, "required": ["type"]}
    return {"if": {"properties": {"spec": of_type}, "required": ["spec"]}, "then": then}


def _if_named(key: str, value: Schema) -> Schema:
    named = {"properties": {"name": {"pattern": _whole(key)}}, "required": ["name"]}
    return {"if": named, "then": {"properties": {"value": {"anyOf": [value, {"type": "null"}]}}}}


def _type_pattern(name: str) -> str:
    if name.startswith("workflow."):
        return rf"^{_WORKFLOW}{_any_case(name.removeprefix('workflow'))}\s*$"
    return f"^{_any_case(name)}\\s*$"


def _whole(key: str) -> str:
    return f"^{_any_case(key)}$"
