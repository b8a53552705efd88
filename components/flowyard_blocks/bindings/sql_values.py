"""Parameters and rows of SQL, as JSON has them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal

import msgspec

from flowyard.backend import InvalidRequest

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


class _Number(str):
    """The text of a number, which is sent as it is."""

    __slots__ = ()


def read_parameters(text: str) -> list[str | None]:
    """Return the parameters of a JSON array, as text that the server reads by its own types."""
    if not text:
        return []
    try:
        values = json.loads(text, parse_int=_Number, parse_float=_Number)
    except ValueError as error:
        raise InvalidRequest(f"metadata 'params' is no JSON: {error}") from error
    if not isinstance(values, list):
        raise InvalidRequest("metadata 'params' is no JSON array, such as [1, \"tea\"]")
    return [_parameter(value) for value in values]


def _parameter(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case list():
            return _array(value)
    return _json(value)


def _array(values: Iterable[object]) -> str:
    """Return an array as PostgreSQL reads it."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return _array(value)
    text = _parameter(value) or ""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _json(value: object) -> str:
    """Return JSON in which the numbers have the text that they came with."""
    return msgspec.json.encode(_raw(value)).decode()


def _raw(value: object) -> object:
    match value:
        case _Number():
            return msgspec.Raw(value.encode())
        case dict():
            return {key: _raw(item) for key, item in value.items()}
        case list():
            return [_raw(item) for item in value]
    return value


def rfc3339(time: datetime) -> str:
    """Return a time as Go writes it; a naive one is UTC."""
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    seconds, _, fraction = aware.replace(tzinfo=None).isoformat().partition(".")
    digits = fraction.rstrip("0")
    return f"{seconds}.{digits}Z" if digits else f"{seconds}Z"


def written_rows(rows: Sequence[Sequence[object]]) -> bytes:
    """Return rows as a JSON array of arrays."""
    return _encoder.encode([[_value(value) for value in row] for row in rows])


def _value(value: object) -> object:
    match value:
        case datetime():
            return rfc3339(value)
        case date():
            return rfc3339(datetime.combine(value, time()))
        case list():
            return [_value(item) for item in value]
        case Decimal() if not value.is_finite():
            return str(value)  # no number of JSON's
    return value
