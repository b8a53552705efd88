"""JSON bodies as daprd reads them: the case of keys does not count, and values stay text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from flowyard.server.block_errors import malformed

T = TypeVar("T")

Fields = Mapping[str, msgspec.Raw]
"""What an object has, by keys in lower case; each value is the text that was sent."""

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)
_NULL = b"null"


def read_object(text: str | msgspec.Raw) -> Fields:
    """Return the fields of an object; null has none."""
    return _fields(_read(_OBJECT, text) or {})


def read_objects(text: str | msgspec.Raw) -> list[Fields]:
    """Return the fields of each object of an array; null has none."""
    return [_fields(found) for found in _read(_OBJECTS, text) or ()]


def field(fields: Fields, name: str, kind: type[T], default: T) -> T:
    """Return the value of a field, the default where it is null or not there."""
    raw = fields.get(name.lower())
    if raw is None or bytes(raw) == _NULL:
        return default
    try:
        return msgspec.json.decode(raw, type=kind)
    except (ValueError, RecursionError) as error:
        raise malformed(f"field {name}: {error}") from error


def raw_field(fields: Fields, name: str) -> msgspec.Raw:
    """Return the text of a field, null where it is not there."""
    return fields.get(name.lower(), msgspec.Raw(_NULL))


def _fields(found: Mapping[str, msgspec.Raw]) -> Fields:
    return {key.lower(): value for key, value in found.items()}


def _read(decoder: msgspec.json.Decoder[Any], text: str | msgspec.Raw) -> Any:
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise malformed(str(error)) from error
