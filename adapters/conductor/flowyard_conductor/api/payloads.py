"""Conductor's inputs and outputs as JSON text, and JSON text as Conductor's.

Conductor passes objects. Any other value is the only field, `value`, of one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from flowyard.backend import InvalidRequest

_VALUE = "value"


def text_of(fields: Mapping[str, object] | None) -> str | None:
    """Return the JSON text of an input or output; None where there is none."""
    if not fields:
        return None
    if set(fields) == {_VALUE} and not isinstance(fields[_VALUE], dict):
        return to_text(fields[_VALUE])
    return to_text(fields)


def to_text(value: object) -> str:
    """Return compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fields_of(text: str | None, what: str) -> dict[str, object]:
    """Return the object that stands for a JSON text; raises `InvalidRequest`."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"the {what} is not JSON: {error}") from error
    return value if isinstance(value, dict) else {_VALUE: value}
