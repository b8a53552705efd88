"""Whether JSON carries a value: what it has no word for, and what is read as something else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass

from pydantic import BaseModel, SecretBytes, SecretStr

_PLAIN = (bool, int, float, str)


def unsayable(value: object) -> str | None:
    """Say what of a value JSON has no word for, and where; None if nothing is found.

    Only places are told: the value may be a secret.
    """
    for place, part in _parts(value, "", {id(value)}):
        reason = None
        if isinstance(part, float):
            if not math.isfinite(part):
                reason = f"{'NaN' if math.isnan(part) else 'an infinity'} is not a number in JSON"
        elif isinstance(part, (SecretStr, SecretBytes)):
            reason = "a secret is written as asterisks"
        elif isinstance(part, (bytes, bytearray)):
            reason = _unreadable(part)
        elif isinstance(part, str):
            reason = None if part.isascii() else _no_unicode(part)
        if reason is not None:
            return f"{place or 'value'}: {reason}"
    return None


def _unreadable(data: bytes | bytearray) -> str | None:
    try:
        data.decode()
    except UnicodeDecodeError:
        return (
            "bytes that are not UTF-8 have no text: encode them with base64 "
            "(pydantic has Base64Bytes)"
        )
    return None


def _no_unicode(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"it is not Unicode text ({error.reason})"
    return None


def change(given: object, read: object, place: str = "") -> str | None:
    """Say where what was read differs from what was given; None if it is the same.

    What only stands for the declared type is written as JSON of its own: a dict for a model, a
    tuple for a list. Such JSON is what was given.
    """
    if given is read or (type(given) is type(read) and _is_same(given, read)):
        return None
    if isinstance(read, BaseModel) and isinstance(given, type(read)):
        # Neither private attributes nor what the model itself leaves out.
        names = [name for name, field in type(read).model_fields.items() if not field.exclude]
        return _first(given, read, names, place)
    if is_dataclass(read) and isinstance(given, type(read)):
        compared = [field.name for field in fields(read) if field.compare and field.init]
        return _first(given, read, compared, place)
    if isinstance(read, (list, tuple)) and isinstance(given, (list, tuple)):
        if len(given) != len(read):
            return f"{place or 'value'}: its length changes"
        pairs = enumerate(zip(given, read, strict=True))
        changes = (change(one, other, _under(place, number)) for number, (one, other) in pairs)
        return next((change for change in changes if change is not None), None)
    if isinstance(read, Mapping) and isinstance(given, Mapping):
        if not given.keys() <= read.keys():
            return f"{place or 'value'}: its keys change (declare their type: dict[int, …])"
        changes = (change(given[key], read[key], _under(place, key)) for key in given)
        return next((change for change in changes if change is not None), None)
    if _is_same(given, read):
        return None
    if type(given) is type(read) or read is None or _are_scalars(given, read):
        return f"{place or 'value'}: it is read as another value"
    return unsayable(given)


def _is_same(given: object, read: object) -> bool:
    try:
        if given == read:
            return True
    except Exception:  # noqa: BLE001 - comparing is other people's code
        return True
    # Of what cannot be compared, nothing can be said.
    return type(given) is type(read) and type(given).__eq__ is object.__eq__


def _are_scalars(given: object, read: object) -> bool:
    """Whether both are plain values, and not one the text of the other."""
    are_plain = isinstance(given, _PLAIN) and type(read) in _PLAIN
    return are_plain and str(given) != str(read)


def _first(given: object, read: object, names: Iterable[str], place: str) -> str | None:
    for name in names:
        changed = change(getattr(given, name), getattr(read, name), _under(place, name))
        if changed is not None:
            return changed
    return None


def _under(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)


def _parts(value: object, place: str, seen: set[int]) -> Iterator[tuple[str, object]]:
    """Yield a value and all that it holds, once each and with its place."""
    yield place, value
    inner: Iterable[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, (list, tuple, AbstractSet)):
        inner = enumerate(value)
    elif isinstance(value, BaseModel):
        names = [name for name, field in type(value).model_fields.items() if not field.exclude]
        inner = ((name, getattr(value, name)) for name in names)
    elif is_dataclass(value) and not isinstance(value, type):
        inner = ((field.name, getattr(value, field.name)) for field in fields(value))
    for name, part in inner:
        if isinstance(part, _PLAIN) or id(part) not in seen:
            seen.add(id(part))
            yield from _parts(part, _under(place, name), seen)
